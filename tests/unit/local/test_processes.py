"""What the demo starts ends with it, whenever an interrupt comes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from local import interrupts, processes

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    before = [(signum, signal.getsignal(signum)) for signum in interrupts.SIGNALS]
    yield
    for signum, handler in before:
        signal.signal(signum, handler)


@contextmanager
def run(directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    with (
        (directory / "log").open("w") as output,
        processes.running(
            SLEEP, directory=directory, environment={}, output=output, stdin=subprocess.DEVNULL
        ) as process,
    ):
        yield process


def test_a_process_ends_with_its_block(tmp_path: Path) -> None:
    with run(tmp_path) as process:
        assert process.poll() is None
    assert process.poll() == -signal.SIGTERM


@pytest.mark.parametrize("signum", interrupts.SIGNALS)
def test_an_interrupt_between_the_start_and_the_note_of_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signum: signal.Signals
) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Interrupted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            started.append(self)
            os.kill(os.getpid(), signum)
            os.kill(os.getpid(), signum)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    interrupts.install()
    with pytest.raises(KeyboardInterrupt), run(tmp_path):
        pytest.fail("went on")
    assert [process.poll() for process in started] == [-signal.SIGTERM]


def test_an_interrupt_that_is_not_held_comes_at_once() -> None:
    interrupts.install()
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)  # a second one changes nothing


def test_descendants_end_that_nobody_has_noted(tmp_path: Path) -> None:
    script = """
import subprocess, sys
from local.processes import end_descendants
children = [subprocess.Popen(["sh", "-c", "sleep 600 & wait"], start_new_session=True) for _ in range(2)]
end_descendants()
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parents[3], timeout=30)
    assert done.returncode == 0
