"""Processes that never outlive what they were started for."""

import os
import signal
import subprocess  # nosec B404 # what this module is for
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import psutil

PATIENCE_SECONDS = 5
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


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
def ending_children() -> Iterator[list[subprocess.Popen[bytes]]]:
    """End, at the end of the block, every process that was started in it, directly or not.

    Yields:
        A list for the processes that are started. One that an interrupt keeps out of it is ended all the same.
    """
    others = psutil.Process().children(recursive=True)
    started: list[subprocess.Popen[bytes]] = []
    try:
        yield started
    finally:
        children = [child for child in psutil.Process().children(recursive=True) if child not in others]
        groups = {group for child in children if (group := group_of(child)) != os.getpgrp()}
        for group in groups:
            # All of it at once: of processes that are ended one by one, one may yet start another.
            with suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        for each in started:
            each.communicate()
        # When init takes note of the end of a grandchild is not known: a zombie does not run.
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if not any(runs(each) for each in psutil.process_iter() if each in children or group_of(each) in groups):
                break
            time.sleep(0.01)


def group_of(process: psutil.Process) -> int:
    """Its process group; that of this process where it has ended."""
    try:
        return os.getpgid(process.pid)
    except ProcessLookupError:
        return os.getpgrp()


def runs(process: psutil.Process) -> bool:
    """Whether a process still runs."""
    with suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def resident_bytes() -> int:
    """Memory of all that this process has started; on Linux, memory that several share counts once."""
    children = psutil.Process().children(recursive=True)
    # Elsewhere the proportional set size is unknown, or needs permissions.
    return sum(child.memory_full_info().pss if psutil.LINUX else child.memory_info().rss for child in children)
