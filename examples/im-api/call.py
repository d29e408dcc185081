"""Calls an action of the IM API, signed with TC3-HMAC-SHA256, and prints the answer.

    call.py URL KEY_FILE ACTION [JSON]

KEY_FILE is what `camgate key create NAME --output json` printed. The official SDK does the same:
`CommonClient("im", "2020-04-16", …)`. Python's standard library is all it needs.
"""

import hashlib
import hmac
import json
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

SERVICE, VERSION = "im", "2020-04-16"
JSON_TYPE = "application/json; charset=utf-8"
# What the official SDK signs, too.
SIGNED = "content-type;host"


def sign(key, host, action, body, at=None, method="POST", query="", content_type=JSON_TYPE):
    """The headers of a call to `/` on this host; `key` is SecretId and SecretKey."""
    secret_id, secret_key = key
    at = int(time.time()) if at is None else at
    day = time.strftime("%Y-%m-%d", time.gmtime(at))
    digest = hashlib.sha256(body).hexdigest()
    lines = f"content-type:{content_type}\nhost:{host}\n"
    canonical = f"{method}\n/\n{query}\n{lines}\n{SIGNED}\n{digest}"
    scope = f"{day}/{SERVICE}/tc3_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"TC3-HMAC-SHA256\n{at}\n{scope}\n{hashed}"
    secret = ("TC3" + secret_key).encode()
    for part in (day, SERVICE, "tc3_request", to_sign):
        secret = hmac.digest(secret, part.encode(), "sha256")
    proof = f"Credential={secret_id}/{scope}, SignedHeaders={SIGNED}, Signature={secret.hex()}"
    return {
        "Authorization": f"TC3-HMAC-SHA256 {proof}",
        "Content-Type": content_type,
        "Host": host,
        "X-TC-Action": action,
        "X-TC-Timestamp": str(at),
        "X-TC-Version": VERSION,
    }


def read_key(path):
    """SecretId and SecretKey from a file as `camgate key create --output json` prints it."""
    with open(path, encoding="utf-8") as file:
        made = json.load(file)
    return made["access_key"]["secret_id"], made["secret_key"]


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    url, key_file, action, *fields = sys.argv[1:]
    body = (fields[0] if fields else "{}").encode()
    headers = sign(read_key(key_file), urllib.parse.urlsplit(url).netloc, action, body)
    request = urllib.request.Request(url.rstrip("/") + "/", body, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        answer = error.read()
    print(json.dumps(json.loads(answer), ensure_ascii=False, indent=2))


if __name__ == "__main__":
    main()
