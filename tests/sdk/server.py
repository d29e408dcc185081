"""A camgate server of its own for the story, and the command line beside it.

The server keeps everything in memory and takes free ports. Its root key is fixed by the environment,
so the story knows it. It must never read settings of whoever runs the story.
"""

import json
import os
import pathlib
import re
import subprocess
import threading

ROOT_UIN = 12345678
ROOT_KEY = ("AKIDstory0000000000000000000000000000", "storySecretKey0000000000000000000")
# What the server says when it listens.
GRPC_LINE = re.compile(r"camgate listens on (\S+) \(gRPC\)")
HTTP_LINE = re.compile(r"the CAM API is served on http://([0-9.:]+)")
START_SECONDS_MAX = 60
RUN_SECONDS_MAX = 60

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]


def program():
    """The built program."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", "target"))
    return REPOSITORY / target / "debug" / "camgate"


def clean_environment(home):
    """The environment without settings of camgate, of the clients, and without proxies."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("CAMGATE_", "TENCENTCLOUD_", "TCCLI_", "TKE_"))
        and not name.lower().endswith("_proxy")
    }
    return {**kept, "HOME": str(home)}


class Server:
    """A running server; `close` ends it."""

    def __init__(self, home):
        self._environment = clean_environment(home)
        secrets = {"CAMGATE_DEV_SECRET_ID": ROOT_KEY[0], "CAMGATE_DEV_SECRET_KEY": ROOT_KEY[1]}
        arguments = "serve --dev --store memory --grpc 127.0.0.1:0 --http 127.0.0.1:0".split()
        self._process = subprocess.Popen(
            [program(), *arguments],
            cwd=home,
            env={**self._environment, **secrets},
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said = []
        self._is_ready = threading.Event()
        threading.Thread(target=self._listen, daemon=True).start()
        if not self._is_ready.wait(START_SECONDS_MAX) or self._process.poll() is not None:
            self.close()
            raise AssertionError("the server did not start:\n" + "".join(self._said))
        said = "".join(self._said)
        self.grpc = GRPC_LINE.search(said).group(1)
        self.http = HTTP_LINE.search(said).group(1)

    def _listen(self):
        for line in self._process.stderr:
            self._said.append(line)
            if line == "ready\n":
                self._is_ready.set()
        # It ended: whoever waits for it learns that.
        self._is_ready.set()

    def camgate(self, *arguments, statuses=(0,)):
        """What a command of the command line answers over gRPC, read from its JSON."""
        ran = subprocess.run(
            [program(), "--server", f"http://{self.grpc}", "--output", "json", *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
        )
        if ran.returncode not in statuses:
            raise AssertionError(f"{arguments}: exit {ran.returncode}\n{ran.stdout}{ran.stderr}")
        return json.loads(ran.stdout)

    def close(self):
        self._process.terminate()
        try:
            self._process.wait(RUN_SECONDS_MAX)
        finally:
            self._process.kill()
            self._process.wait()
