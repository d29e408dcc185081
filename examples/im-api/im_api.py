"""A small fake of the IM API, for the examples of the gate. It checks nothing: the gate does.

It believes the headers `x-camgate-*`, so it must be reached through the gate only: it listens on
loopback. It answers calls with `X-TC-Action` in the official envelope, and a few REST paths; it
keeps settings in memory, shows lists only as far as the gate's filter goes, and writes down each
request that reaches it. Python's standard library is all it needs.
"""

import argparse
import json
import re
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# What the gate tells us, in headers that no client can set.
TOLD = ("x-camgate-uin", "x-camgate-owner-uin", "x-camgate-decision-id", "x-camgate-filter")
# Every app of the installation, with its account: who may see which is the gate's to say.
APPS = {
    1400000000: ("12345678", "沙箱 sandbox"),
    1400000001: ("12345678", "游戏大厅 game lobby"),
    1400000002: ("12345678", "游戏公会 game guilds"),
    1400000003: ("12345678", "在线课堂 online classroom"),
    1400000004: ("12345678", "家校通 school and home"),
    1500000001: ("22345678", "别人的应用 another account's"),
}
BODY_BYTES_MAX = 8 * 1024 * 1024
SETTINGS = re.compile(r"/v1/apps/([0-9]+)/settings")
STATISTICS = re.compile(r"/v1/apps/([0-9]+)/statistics")


class Api:
    """What the API knows, and what it does with it."""

    def __init__(self):
        self._settings = {sdkappid: {"Greeting": "你好"} for sdkappid in APPS}
        self._lock = threading.Lock()

    def call(self, action, fields, told):
        """The answer of an action, or None for one that this fake does not know."""
        if action == "DescribeIMAppList":
            return {"Apps": self.apps(told)}
        sdkappid = number(fields.get("SdkAppId"))
        if action == "DescribeConfInfo":
            return {"SdkAppId": sdkappid, "Settings": self.settings(sdkappid)}
        if action == "SetConfInfo":
            return {"SdkAppId": sdkappid, "Settings": self.change(sdkappid, fields)}
        if "Statistic" in action or action.endswith("Overview"):
            return {"SdkAppId": sdkappid, "Figures": self.figures(sdkappid)}
        return {"Echo": fields} if action else None

    @staticmethod
    def apps(told):
        """The apps of the caller's account that may be shown; without a filter, none."""
        account, text = told["x-camgate-owner-uin"], told["x-camgate-filter"] or ""
        ids = {number(it) for it in text.removeprefix("sdkappid:").split(",")}
        return [
            {"SdkAppId": sdkappid, "Name": name}
            for sdkappid, (owner, name) in APPS.items()
            if owner == account and (text == "all" or sdkappid in ids)
        ]

    def settings(self, sdkappid):
        with self._lock:
            return dict(self._settings.get(sdkappid, {}))

    def change(self, sdkappid, fields):
        texts = {name: value for name, value in fields.items() if isinstance(value, str)}
        with self._lock:
            self._settings.setdefault(sdkappid, {}).update(texts)
        return self.settings(sdkappid)

    @staticmethod
    def figures(sdkappid):
        return [{"Day": f"2026-11-{day:02}", "Active": sdkappid % 1000 + day} for day in (1, 2, 3)]


def number(value):
    text = str(value)
    return int(text) if text.isdecimal() else 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api = Api()
    log = None
    log_lock = threading.Lock()

    def do_GET(self):
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET

    def _serve(self):
        body = self._body()
        url = urllib.parse.urlsplit(self.path)
        action = self.headers.get("X-TC-Action", "")
        fields = self._fields(body, url.query)
        told = {name: self.headers.get(name) for name in TOLD}
        self._write_down(url.path, action, body, told)
        answer = self._rest(url.path, fields, told) if not action else None
        if action:
            answer = self.api.call(action, fields, told)
        seen = {name: value for name, value in told.items() if value is not None}
        status = 200 if answer is not None else 404
        answer = {**(answer or {}), "Seen": seen, "RequestId": str(uuid.uuid4())}
        self._answer(status, {"Response": answer} if action else answer)

    def _rest(self, path, fields, told):
        """The answer of a REST-style path; None for an unknown one."""
        if path == "/v1/apps" or path == "/v1/apps-unfiltered":
            # The second one is a page of an older console, which knows nothing of filters.
            told = told if path == "/v1/apps" else {**told, "x-camgate-filter": "all"}
            return {"Apps": self.api.apps(told)}
        if found := STATISTICS.fullmatch(path):
            return {"Figures": self.api.figures(number(found[1]))}
        if found := SETTINGS.fullmatch(path):
            sdkappid = number(found[1])
            if self.command == "PUT":
                return {"Settings": self.api.change(sdkappid, fields)}
            return {"Settings": self.api.settings(sdkappid)}
        return {"Stored": True} if path.startswith("/v1/upload/") else None

    def _body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._chunks()
        return self.rfile.read(min(number(self.headers.get("Content-Length", 0)), BODY_BYTES_MAX))

    def _chunks(self):
        """A body in chunks, as proxies send one whose length they were not told."""
        body = b""
        while size := int(self.rfile.readline(100).split(b";")[0], 16):
            if len(body) + size > BODY_BYTES_MAX:
                raise ValueError("the body is too long")
            body += self.rfile.read(size)
            self.rfile.readline(2)
        self.rfile.readline(2)
        return body

    @staticmethod
    def _fields(body, query):
        try:
            fields = json.loads(body) if body else dict(urllib.parse.parse_qsl(query))
        except ValueError:
            fields = {}
        return fields if isinstance(fields, dict) else {}

    def _write_down(self, path, action, body, told):
        entry = {"method": self.command, "path": path, "action": action, "bytes": len(body)}
        entry |= {"uin": told["x-camgate-uin"], "headers": dict(self.headers.items())}
        with self.log_lock:
            self.log.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self.log.flush()

    def _answer(self, status, answer):
        content = json.dumps(answer, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_arguments):
        """Requests are written down in `requests.log` instead."""


def main():
    parser = argparse.ArgumentParser(description="A small fake of the IM API")
    parser.add_argument("--port", type=int, default=7500)
    parser.add_argument("--log", default="requests.log", help="where requests are written down")
    arguments = parser.parse_args()
    with open(arguments.log, "a", encoding="utf-8") as log:
        Handler.log = log
        server = ThreadingHTTPServer(("127.0.0.1", arguments.port), Handler)
        print(f"the fake IM API listens on 127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
