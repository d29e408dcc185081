"""Checks that `docs/gate.md` is true: its commands are run, and print what it says.

The blocks ```console are read as `tests/it/docs.rs` reads them: `<word>` in expected output stands
for any run of characters without a blank, a line `...` for any lines. A command that is an example's
`run.sh` says which bed the next ones are about.
"""

import re
import shlex
import subprocess

from bed import wait_until
from server import REPOSITORY, RUN_SECONDS_MAX, clean_environment, program

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN = re.compile(r"examples/(\w+)/run\.sh")
HOLE = re.compile(r"<\w+>")


def examples():
    """The commands of the page, each with the lines that it prints."""
    found = []
    for block in BLOCK.findall((REPOSITORY / "docs" / "gate.md").read_text("utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            else:
                found[-1][1].append(line)
    return found


def line_fits(expected, line):
    parts = [re.escape(part) for part in HOLE.split(expected)]
    return re.fullmatch(r"\S+".join(parts), line) is not None


def fits(expected, lines):
    if not expected:
        return not lines
    if expected[0] == "...":
        return any(fits(expected[1:], lines[skipped:]) for skipped in range(len(lines) + 1))
    return bool(lines) and line_fits(expected[0], lines[0]) and fits(expected[1:], lines[1:])


def ran(bed, command):
    """What a command prints, run where the bed has its copy of the repository."""
    server = f"http://{bed.address('7401')}"
    command = f'camgate() {{ {shlex.quote(str(program()))} --server {server} "$@"; }}; {command}'
    out = subprocess.run(
        ["sh", "-c", command],
        cwd=bed.folder,
        env=clean_environment(bed.folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_SECONDS_MAX,
    )
    return out.stdout


def check(beds):
    """Runs the page on fresh beds; returns how many commands it has, and the faults."""
    bed, faults, count = None, [], 0
    for command, expected in examples():
        starts = RUN.fullmatch(command)
        bed = beds[starts[1]] if starts else bed
        command, *expected = [bed.with_ports(line) for line in (command, *expected)]
        if command.startswith("tail "):
            # A log is written a moment after the answer.
            wait_until(lambda: fits(expected, ran(bed, command).splitlines()), command)
        lines = (bed.said if starts else ran(bed, command)).splitlines()
        count += 1
        if not fits(expected, lines):
            faults.append("\n".join([command, "expected:", *expected, "actual:", *lines]))
    return count, faults
