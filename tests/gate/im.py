"""The API of IM as its official clients call it, and as somebody with worse intentions does."""

import contextlib
import http.client
import json
import subprocess
import urllib.parse

from requests.adapters import HTTPAdapter
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from bed import wait_until
from server import RUN_SECONDS_MAX

SERVICE, VERSION = "im", "2020-04-16"


class Spoiling(HTTPAdapter):
    """Changes each request after the SDK has signed it."""

    def __init__(self, spoil):
        super().__init__()
        self._spoil = spoil

    def send(self, request, **options):
        self._spoil(request)
        return super().send(request, **options)


class Im:
    """The official generic client with one key."""

    def __init__(self, address, key, token=None, method="POST", spoil=None):
        profile = ClientProfile(
            httpProfile=HttpProfile(protocol="http", endpoint=address, reqMethod=method)
        )
        who = credential.Credential(*key, token)
        self._client = CommonClient(SERVICE, VERSION, who, "", profile)
        if spoil:
            self._client.request.conn._session.mount("http://", Spoiling(spoil))

    def __call__(self, action, **fields):
        """The answer of an action; what is refused raises the SDK's exception."""
        return self._client.call_json(action, fields)["Response"]


def with_headers(**headers):
    """A spoiler that adds headers; `_` in their names stands for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: request.headers.update(named)


def with_body(change):
    """A spoiler that changes the body."""

    def spoil(request):
        body = request.body if isinstance(request.body, bytes) else request.body.encode()
        request.body = change(body)
        request.headers["Content-Length"] = str(len(request.body))

    return spoil


class Answer:
    """A plain answer over HTTP."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The code of a refusal, in the API's envelope or in plain JSON; empty for none."""
        answer = self.json
        return answer.get("Response", answer).get("Error", {}).get("Code", "")


def send(address, method, target, headers=(), body=None, source="127.0.0.1"):
    """One request, as it is given: nothing is added to its target."""
    connection = http.client.HTTPConnection(
        address, timeout=RUN_SECONDS_MAX, source_address=(source, 0)
    )
    try:
        connection.request(method, target, body, dict(headers))
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())
    finally:
        connection.close()


def http2(address, headers, body):
    """A POST over HTTP/2, which Python's standard library does not speak."""
    told = [f"-H{name}: {value}" for name, value in headers.items() if name != "Host"]
    ran = subprocess.run(
        ["curl", "-s", "--http2-prior-knowledge", "--data-binary", "@-", *told, f"http://{address}/"],
        input=body,
        stdout=subprocess.PIPE,
        timeout=RUN_SECONDS_MAX,
        check=True,
    )
    return Answer(200, {}, ran.stdout.decode())


def send_on(address, headers, body, more, is_asked):
    """A POST in two chunks, the second one sent when the gate was asked about the first."""
    connection = http.client.HTTPConnection(address, timeout=RUN_SECONDS_MAX)

    def pieces():
        yield body
        wait_until(is_asked, "Envoy asks about what it has")
        yield more

    try:
        with contextlib.suppress(ConnectionError):
            connection.request("POST", "/", pieces(), headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read().decode())
    finally:
        connection.close()


def signed_get(sign, address, key, action, **fields):
    """Target and headers of a signed GET."""
    query = urllib.parse.urlencode(fields)
    kind = "application/x-www-form-urlencoded"
    headers = sign(key, address, action, b"", method="GET", query=query, content_type=kind)
    return f"/?{query}", headers
