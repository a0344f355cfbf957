"""Processes that never outlive what they were started for."""

import os
import signal
import subprocess  # nosec B404 # what this module is for
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

GRACE_SECONDS = 5
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def interrupt_once(announce: Callable[[], object]) -> None:
    """Let SIGTERM interrupt this program as SIGINT does. Only the first signal counts: a second must not stop the end.

    Args:
        announce: called as soon as the signal arrives.
    """

    def interrupt(*_: object) -> None:
        for signum in SIGNALS:
            signal.signal(signum, signal.SIG_IGN)
        # A RuntimeError: the signal interrupted a write to the same stream.
        with suppress(RuntimeError):
            announce()
        raise KeyboardInterrupt

    for signum in SIGNALS:
        signal.signal(signum, interrupt)


@contextmanager
def running(
    command: Sequence[str], *, directory: Path, environment: Mapping[str, str], output: IO[str] | IO[bytes], stdin: int
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command, in a process group of its own, and end the whole group at the end of the block.

    Args:
        command: the program and its arguments.
        directory: where it runs.
        environment: all of its environment.
        output: a file that takes what it prints.
        stdin: subprocess.DEVNULL, or subprocess.PIPE.
    """
    process = subprocess.Popen(  # nosec B603 # the commands of this package
        command,
        cwd=directory,
        env=dict(environment),
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        # A group of its own, which the terminal's Ctrl-C does not reach: it is ended here, with its children.
        start_new_session=True,
    )
    try:
        yield process
    finally:
        _end_group(process)
        if process.stdin:
            process.stdin.close()


@contextmanager
def ending_all_on_interrupt() -> Iterator[None]:
    """On an interrupt, end every process that this one has started, directly or not.

    It may arrive between the start of a process and the note of it, or while one is being ended.
    """
    try:
        yield
    except KeyboardInterrupt:
        descendants = psutil.Process().children(recursive=True)
        for process in descendants:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        _wait(descendants)
        raise


def resident_bytes(root: int) -> int:
    """Memory of a process and its descendants; on Linux, memory that several share counts once."""
    process = psutil.Process(root)
    tree = [process, *process.children(recursive=True)]
    # Elsewhere the proportional set size is unknown, or needs permissions.
    return sum(each.memory_full_info().pss if psutil.LINUX else each.memory_info().rss for each in tree)


def _end_group(process: subprocess.Popen[bytes]) -> None:
    members: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        members = psutil.Process(process.pid).children(recursive=True)
    for signum in (signal.SIGTERM, signal.SIGKILL):
        # macOS answers PermissionError where all members are zombies.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signum)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=GRACE_SECONDS)
    _wait(members)


def _wait(processes: Sequence[psutil.Process]) -> None:
    """Wait until none of these processes runs. When init takes note of their end is not known: zombies do not run."""
    deadline = time.monotonic() + GRACE_SECONDS
    while any(map(_runs, processes)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _runs(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False
