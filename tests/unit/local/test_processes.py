"""What the demo starts ends with it, whenever an interrupt arrives."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
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


def test_what_was_started_in_a_block_ends_with_it_and_its_descendants_and_nothing_else() -> None:
    ignores = ["sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"]
    other = subprocess.Popen(SLEEP)
    try:
        with processes.ending_children() as started:
            started += [subprocess.Popen(ignores, start_new_session=True) for _ in range(2)]
            while len(below := [each for process in started for each in psutil.Process(process.pid).children()]) < 2:
                pass
        assert [process.returncode for process in started] == [-signal.SIGKILL] * 2
        assert not any(map(processes.runs, below))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_what_starts_others_all_the_time_leaves_none() -> None:
    starter = f"import subprocess\nwhile True: subprocess.Popen({SLEEP!r})"
    for _ in range(10):
        with processes.ending_children() as started:
            started.append(subprocess.Popen([sys.executable, "-c", starter], start_new_session=True))
            while len(psutil.Process(started[0].pid).children()) < 5:
                pass
        left = [each for each in psutil.process_iter() if processes.group_of(each) == started[0].pid]
        assert not any(map(processes.runs, left))


@pytest.mark.parametrize("signum", processes.SIGNALS)
def test_an_interrupt_between_the_start_and_the_note_of_it_leaves_nothing(signum: signal.Signals) -> None:
    # In a process of its own, which the signal interrupts.
    script = f"""
import os, subprocess, sys
from local import processes
processes.interrupt_once(lambda: None)
def start():
    global process
    process = subprocess.Popen({SLEEP!r})
    os.kill(os.getpid(), {int(signum)})
    return process
try:
    with processes.ending_children() as started:
        started.append(start())
        sys.exit("went on")
except KeyboardInterrupt:
    sys.exit(process.poll() is None)
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
