"""What the demo starts ends with it, whenever an interrupt arrives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local import processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [(signum, signal.getsignal(signum)) for signum in processes.SIGNALS]
    yield
    for signum, handler in before:
        signal.signal(signum, handler)


@contextmanager
def sleeping(directory: Path, command: list[str] = SLEEP) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (directory / "log").open("w") as output,
        processes.running(
            command, directory=directory, environment={}, output=output, stdin=subprocess.DEVNULL
        ) as process,
    ):
        yield process


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    with sleeping(tmp_path) as process:
        assert process.poll() is None
    assert process.poll() == -signal.SIGTERM


def test_children_end_that_ignore_the_first_signal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE_SECONDS", 0.5)
    with sleeping(tmp_path, ["/bin/sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"]) as process:
        while not (children := psutil.Process(process.pid).children()):
            pass
    assert not any(map(processes._runs, children))


@pytest.mark.parametrize("signum", processes.SIGNALS)
def test_an_interrupt_between_the_start_and_the_note_of_it_leaves_nothing(signum: signal.Signals) -> None:
    # In a process of its own: what is ended is every child of the process.
    script = f"""
import os, signal, subprocess, sys
from local import processes
started = []
class Interrupted(subprocess.Popen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        started.append(self)
        os.kill(os.getpid(), {int(signum)})
subprocess.Popen = Interrupted
processes.interrupt_once(lambda: None)
try:
    with processes.ending_all_on_interrupt(), open(os.devnull, "w") as output:
        options = dict(directory="/", environment=os.environ, output=output, stdin=subprocess.DEVNULL)
        with processes.running({SLEEP!r}, **options):
            sys.exit("went on")
except KeyboardInterrupt:
    sys.exit([process.wait() for process in started] != [-signal.SIGKILL])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], timeout=30)
    assert done.returncode == 0


def test_an_interrupt_is_announced_at_once_and_a_second_one_changes_nothing() -> None:
    announced: list[str] = []
    processes.interrupt_once(lambda: announced.append("Stopping..."))
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGINT)
    assert announced == ["Stopping..."]


def test_an_interrupt_ends_descendants_in_groups_of_their_own() -> None:
    script = """
import subprocess, sys
from local.processes import ending_all_on_interrupt
try:
    with ending_all_on_interrupt():
        children = [subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True) for _ in range(2)]
        raise KeyboardInterrupt
except KeyboardInterrupt:
    sys.exit([child.poll() for child in children] != [-9, -9])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], timeout=30)
    assert done.returncode == 0


def test_the_memory_of_a_process_counts_its_descendants(tmp_path: Path) -> None:
    with sleeping(tmp_path) as alone:
        while (one := processes.resident_bytes(alone.pid)) < 2**20:
            pass
    pair = f"import subprocess, sys; subprocess.run({SLEEP!r})"
    with sleeping(tmp_path, [sys.executable, "-c", pair]) as parent:
        while not psutil.Process(parent.pid).children():
            pass
        while processes.resident_bytes(parent.pid) < 1.2 * one:
            pass
