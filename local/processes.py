"""Processes that are started here and never outlive what they were started for."""

import os
import shutil
import signal
import subprocess  # nosec B404 # what this module is for
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from local import interrupts

GRACE_SECONDS = 5


@contextmanager
def running(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str], output: IO[str] | IO[bytes], stdin: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, in a process group of its own, and end the whole group on the way out.

    Args:
        command: the program and its arguments.
        directory: where it runs.
        environment: all of its environment.
        output: a file that takes what it prints.
        stdin: subprocess.DEVNULL, or subprocess.PIPE.
    """
    process = None
    try:
        with interrupts.held():
            process = subprocess.Popen(  # nosec B603 # the commands of this package
                command,
                cwd=directory,
                env=dict(environment),
                stdin=stdin,
                stdout=output,
                stderr=subprocess.STDOUT,
                # A group of its own, which no interrupt of this one reaches: it is ended here, with its children.
                start_new_session=True,
            )
        yield process
    finally:
        if process:
            _end_group(process)
            if process.stdin:
                process.stdin.close()


def end_descendants() -> None:
    """End every process that this one has started, directly or not, and wait until they are gone."""
    descendants = list(process_tree(os.getpid()))[1:]
    for pid in descendants:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_SECONDS
    while any(_exists(pid) for pid in descendants) and time.monotonic() < deadline:
        time.sleep(0.01)


def process_tree(root: int) -> Iterator[int]:
    """A process's id, and those of its descendants."""
    yield root
    ps = shutil.which("ps")
    if ps is None:
        return
    listing = subprocess.run([ps, "-eo", "pid=,ppid="], capture_output=True, text=True, check=True)  # nosec B603
    pairs = listing.stdout.split()
    children: dict[int, list[int]] = {}
    for pid, parent in zip(map(int, pairs[::2]), map(int, pairs[1::2]), strict=True):
        children.setdefault(parent, []).append(pid)
    waiting = children.get(root, [])
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, [])


def _end_group(process: subprocess.Popen[bytes]) -> None:
    for signum in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_SECONDS)
    process.wait()
    # Killed, its children take a moment to go, and are nobody's to wait for.
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline:
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)


def _exists(pid: int) -> bool:
    # A child of this process stays as a zombie until it is waited for.
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
