"""A test bed: an example of the repository, run by its own run.sh, on free ports.

The example's files are copied to a folder of the test and their ports replaced; nothing else is
changed but what a test adds to camgate's settings, or edits in Envoy's. `close` ends what run.sh started by the signal
that Ctrl-C sends.
"""

import contextlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from server import REPOSITORY, RUN_SECONDS_MAX, clean_environment, program

START_SECONDS_MAX = 60
START_TRIES_MAX = 3
# What the examples listen on: camgate, the API, Envoy and its administration, nginx.
PORTS = ("7400", "7401", "7500", "9901", "10000", "8080", "8081")
OWN = re.compile(rf"\b({'|'.join(PORTS)})\b")
IN_USE = ("in use", "cannot bind")


def free_ports(count):
    """Ports that nobody listens on; another program may still take one before we do."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_until(is_so, what):
    """Waits for a condition; an error when it does not come."""
    end = time.monotonic() + RUN_SECONDS_MAX
    while not is_so():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.02)


class Bed:
    """A running example: `port` has the port that stands for one of the example's."""

    def __init__(self, home, name, example, settings="", edit=lambda text: text):
        self.folder = pathlib.Path(home) / name
        self.run = self.folder / "examples" / example / "run"
        for tries_left in reversed(range(START_TRIES_MAX)):
            self._lay(example, settings)
            if example == "envoy":
                own = self.folder / "examples" / example / "envoy.yaml"
                own.write_text(edit(own.read_text("utf-8")), "utf-8")
            self.said = self._start(example)
            if "ready:" in self.said:
                return
            self.kill()
            if not tries_left or not any(text in self.said for text in IN_USE):
                raise AssertionError(f"{name} did not start:\n{self.said}")

    def _lay(self, example, settings):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.port = dict(zip(PORTS, free_ports(len(PORTS))))
        self.folder.mkdir(parents=True)
        (self.folder / "policies").symlink_to(REPOSITORY / "policies")
        examples = REPOSITORY / "examples"
        for source in examples.rglob("*"):
            path = source.relative_to(examples)
            if not source.is_file() or "run" in path.parts[:-1] or "__pycache__" in path.parts:
                continue
            target = self.folder / "examples" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            text = source.read_text("utf-8")
            target.write_text(self.with_ports(text), "utf-8")
        own = self.folder / "examples" / example / "camgate.toml"
        own.write_text(own.read_text("utf-8") + settings, "utf-8")

    def _start(self, example):
        # What run.sh itself finds, but for the program under test and the pinned Envoy.
        found = {
            "CAMGATE": str(program()),
            "ENVOY": str(pathlib.Path(sys.executable).with_name("envoy")),
            "PYTHON": sys.executable,
            "RUN": str(self.run),
        }
        self._process = subprocess.Popen(
            ["sh", str(self.folder / "examples" / example / "run.sh")],
            env={**clean_environment(self.folder), **found},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            # Whoever runs the tests in the background has it ignored, and a shell keeps that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        said, is_over = [], threading.Event()

        def listen():
            for line in self._process.stdout:
                said.append(line)
                if line.startswith("ready:"):
                    is_over.set()
            is_over.set()

        threading.Thread(target=listen, daemon=True).start()
        is_over.wait(START_SECONDS_MAX)
        return "".join(said)

    def with_ports(self, text):
        """A text of the example, with the ports of this bed."""
        return OWN.sub(lambda found: str(self.port[found[1]]), text)

    def address(self, port):
        """Where the program listens that has this port in the example."""
        return f"127.0.0.1:{self.port[port]}"

    def camgate(self, *arguments, said=None):
        """What a command of the command line prints."""
        server = f"http://{self.address('7401')}"
        ran = subprocess.run(
            [program(), "--server", server, *arguments],
            env=clean_environment(self.folder),
            input=said,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS_MAX,
        )
        assert ran.returncode == 0, f"{arguments}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stdout

    def new_key(self, *arguments):
        """A new access key, as SecretId and SecretKey."""
        made = json.loads(self.camgate("key", "create", *arguments, "--output", "json"))
        return made["access_key"]["secret_id"], made["secret_key"]

    def key(self, user):
        """The key that run.sh made for a sub-account."""
        made = json.loads((self.run / f"{user}.json").read_text("utf-8"))
        return made["access_key"]["secret_id"], made["secret_key"]

    def lines(self, file):
        """The JSON lines of a file that a program of the bed writes."""
        text = (self.run / file).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    @property
    def reached(self):
        """The requests that reached the API."""
        return self.lines("requests.log")

    def pids(self):
        """The programs that run.sh started, by name."""
        return {path.stem: int(path.read_text()) for path in self.run.glob("*.pid")}

    def stop(self, name):
        """Ends one program, and waits until it is gone."""
        pid = self.pids()[name]
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not is_running(pid), f"{name} ends")

    def close(self):
        """Ends everything as Ctrl-C does, and says what is left of it."""
        pids = self.pids()
        os.killpg(self._process.pid, signal.SIGINT)
        try:
            self._process.wait(RUN_SECONDS_MAX)
            return [name for name, pid in pids.items() if is_running(pid)]
        finally:
            self.kill()

    def kill(self):
        """Ends what is still there, however it is."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def is_running(pid):
    """Whether a process is there and has not ended."""
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
