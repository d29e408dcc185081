"""The static program as the container has it: alone on a read-only root, as a user of no rights.

It stands in for `docker run --read-only`: the root is built by what packaging/Dockerfile copies, and
the program is started as the Dockerfile says. No container engine is needed, but root and Linux
are, for mounts. It must leave nothing mounted: everything happens in namespaces of its own, which
end with it.
"""

import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SECONDS_MAX = 60
OWNER = 12345678
# Random numbers come from the last where the program is static.
DEVICES = ["null", "random", "urandom"]
# A name that only our own server of names knows, and one that only /etc/hosts knows.
BY_DNS, BY_HOSTS = "pdp.dns.test", "pdp.hosts.test"
RESOURCE = f"qcs::im::uin/{OWNER}:sdkappid/1400000001"
QUESTION = ["check", "--principal", "alice", "--resource", RESOURCE, "--action"]
CONFIG = """
grpc = "127.0.0.1:7401"
http = "127.0.0.1:7400"
"""


def fail(text):
    sys.exit(f"chroot: {text}")


class Dockerfile:
    """What this test needs of a Dockerfile; anything else that it says is refused."""

    def __init__(self, path, target):
        self.copies, self.volumes, self.ports = [], [], []
        text = path.read_text().replace("\\\n", " ")
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            word, rest = line.split(None, 1)
            rest = rest.replace("${TARGET}", target)
            if word == "FROM" and rest == "scratch":
                continue
            elif word == "COPY":
                self.copies.append(rest.split())
            elif word == "USER":
                self.user, self.group = (int(it) for it in rest.split(":"))
            elif word == "WORKDIR":
                self.folder = rest
            elif word == "VOLUME":
                self.volumes.append(rest)
            elif word == "EXPOSE":
                self.ports += [int(port) for port in rest.split()]
            elif word == "STOPSIGNAL":
                self.signal = signal.Signals[rest]
            elif word == "ENTRYPOINT":
                self.entrypoint = json.loads(rest)
            elif word == "CMD":
                self.command = json.loads(rest)
            elif word != "ARG":
                fail(f"the Dockerfile says `{line}`, which this test does not know")


def run(*command):
    subprocess.run(command, check=True)


def below(root, path):
    return root / path.lstrip("/")


def build_root(root, dockerfile, context):
    """The read-only root, with a writable volume and the operator's configuration."""
    run("mount", "-t", "tmpfs", "-o", "size=512m,mode=755", "tmpfs", root)
    for source, target in dockerfile.copies:
        below(root, target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(context / source, below(root, target))
    for volume in dockerfile.volumes:
        below(root, volume).mkdir(parents=True)
    # A container engine puts these into any root: devices, what a process sees of itself, names.
    (root / "dev").mkdir()
    for device in DEVICES:
        (root / "dev" / device).touch()
        run("mount", "--bind", f"/dev/{device}", root / "dev" / device)
    (root / "etc/camgate").mkdir(parents=True)
    (root / "etc/camgate/camgate.toml").write_text(CONFIG)
    (root / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.0.1 {BY_HOSTS}\n")
    (root / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (root / "proc").mkdir()
    run("mount", "-t", "proc", "-o", "ro", "proc", root / "proc")
    run("mount", "-o", "remount,ro", root)
    for volume in dockerfile.volumes:
        run("mount", "-t", "tmpfs", "-o", f"uid={dockerfile.user},gid={dockerfile.group},mode=700",
            "tmpfs", below(root, volume))


def raise_loopback():
    """The namespace's own loopback is down at first."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        import fcntl
        flags_set, up_and_running = 0x8914, 0x1 | 0x40
        request = struct.pack("16sh14x", b"lo", up_and_running)
        fcntl.ioctl(any_socket, flags_set, request)


def answer_names():
    """A server of names that knows one: an address for A, nothing for anything else."""
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 53))

    def serve():
        while True:
            query, peer = server.recvfrom(512)
            end = query.index(b"\0", 12) + 5
            name, at = [], 12
            while query[at]:
                name.append(query[at + 1:at + 1 + query[at]].decode())
                at += 1 + query[at]
            is_known = ".".join(name).lower() == BY_DNS
            is_address = query[end - 4:end - 2] == b"\0\1"
            count = 1 if is_known and is_address else 0
            code = b"\x81\x80" if is_known else b"\x81\x83"
            head = query[:2] + code + struct.pack(">4H", 1, count, 0, 0)
            record = b"\xc0\x0c\0\1\0\1\0\0\0\x05\0\x04" + socket.inet_aton("127.0.0.1")
            server.sendto(head + query[12:end] + record * count, peer)

    threading.Thread(target=serve, daemon=True).start()


class Container:
    """The program in its root, as a user with neither capabilities nor a way to new ones."""

    def __init__(self, root, dockerfile):
        self._root, self._dockerfile = root, dockerfile

    def start(self, arguments, **streams):
        root, dockerfile = self._root, self._dockerfile

        def enter():
            os.chroot(root)
            os.chdir(dockerfile.folder)
            no_new_privileges = 38
            if ctypes.CDLL(None).prctl(no_new_privileges, 1, 0, 0, 0) != 0:
                os._exit(99)
            os.setgroups([])
            os.setgid(dockerfile.group)
            os.setuid(dockerfile.user)

        return subprocess.Popen(
            [*dockerfile.entrypoint, *arguments],
            preexec_fn=enter,
            env={},
            stdin=subprocess.DEVNULL,
            text=True,
            **streams,
        )

    def run(self, *arguments):
        """One command: its status and what it said."""
        pipe = subprocess.PIPE
        process = self.start(arguments, stdout=pipe, stderr=subprocess.STDOUT)
        said, _ = process.communicate(timeout=SECONDS_MAX)
        return process.returncode, said


class Server:
    def __init__(self, container, arguments):
        self.said = []
        self.process = container.start(arguments, stderr=subprocess.PIPE)
        for line in self.process.stderr:
            self.said.append(line)
            if line == "ready\n":
                break
        else:
            fail(f"the server ended: {''.join(self.said)}")
        threading.Thread(target=self.said.extend, args=[self.process.stderr], daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.process.kill()

    def end(self, sign):
        self.process.send_signal(sign)
        status = self.process.wait(timeout=SECONDS_MAX)
        if status != 0:
            fail(f"it ended with {status}: {''.join(self.said)}")


def expect(got, status, part):
    if got[0] != status or part not in got[1]:
        fail(f"expected status {status} and `{part}`, got {got}")


def get(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:7400{path}", timeout=SECONDS_MAX) as got:
            return got.status, got.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def story(root, dockerfile):
    container = Container(root, dockerfile)
    expect(container.run("--version"), 0, "camgate ")
    # Nothing but the volume can be written.
    expect(container.run("serve", "--store", "sled:/data"), 3, "`/data` cannot be written: Read-only")
    expect(container.run("serve", "--store", "sled:/etc/camgate"), 3, "`/etc/camgate` cannot be")
    with Server(container, dockerfile.command) as server:
        status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
        for field, value in [("Uid", dockerfile.user), ("CapEff", "0" * 16), ("NoNewPrivs", 1)]:
            if not re.search(rf"^{field}:\s+{value}\b", status, re.M):
                fail(f"{field} is not {value}: {status}")
        work(container)
        server.end(dockerfile.signal)
    # What was acknowledged is there again.
    with Server(container, dockerfile.command) as server:
        expect(container.run(*QUESTION, "im:DescribeConfInfo"), 0, "ALLOW")
        server.end(dockerfile.signal)


def work(container):
    """An account is made and asked about."""
    expect(get("/readyz"), 200, "ready")
    account = ["--owner", str(OWNER), "--app-id", "1250000001"]
    expect(container.run("init", *account), 0, f"created account {OWNER}")
    expect(container.run("user", "create", "alice"), 0, "created sub-account alice")
    attach = ["policy", "attach", "QcloudIMReadOnlyAccess", "--user", "alice"]
    expect(container.run(*attach), 0, "attached")
    expect(container.run("app", "create", "1400000001", "--name", "chat"), 0, "1400000001")
    # By name too: this program brings its own resolver, and no library is there to help it.
    for host in ["127.0.0.1", BY_HOSTS, BY_DNS]:
        at = ["--server", f"http://{host}:7401"]
        expect(container.run(*at, *QUESTION, "im:DescribeConfInfo"), 0, "ALLOW")
    expect(container.run(*QUESTION, "im:SetConfInfo"), 1, "DENY")
    nowhere = container.run("--server", "http://other.dns.test:7401", *QUESTION, "im:SetConfInfo")
    expect(nowhere, 3, "no server answers")


def check_static(program):
    """No interpreter is asked for, which would load libraries."""
    with open(program, "rb") as file:
        header = file.read(64)
        if header[:6] != b"\x7fELF\x02\x01":
            fail(f"{program} is no program of 64 bits")
        first, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        file.seek(first)
        kinds = [struct.unpack_from("<I", file.read(size))[0] for _ in range(count)]
    interpreter = 3
    if interpreter in kinds:
        fail(f"{program} is not static")


def main():
    if os.environ.get("CAMGATE_IN_NAMESPACE") is None:
        if os.geteuid() != 0 or not sys.platform.startswith("linux"):
            fail("mounts need root on Linux; run `sudo make packaging`")
        environment = {**os.environ, "CAMGATE_IN_NAMESPACE": "1"}
        os.execvpe("unshare", ["unshare", "--mount", "--net", sys.executable, "-B", *sys.argv],
                   environment)
    context, target = pathlib.Path(sys.argv[1]).resolve(), sys.argv[2]
    dockerfile = Dockerfile(REPOSITORY / "packaging/Dockerfile", target)
    check_static(context / dockerfile.copies[0][0])
    raise_loopback()
    answer_names()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        build_root(root, dockerfile, context)
        try:
            story(root, dockerfile)
        finally:
            run("umount", "--recursive", "--lazy", root)
    print("chroot: the static program serves alone on a read-only root")


main()
