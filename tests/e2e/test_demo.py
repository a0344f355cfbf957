"""The demo as a user runs it: a process of its own, its output, its exit status and what it leaves behind: nothing."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60

pytestmark = pytest.mark.xdist_group("demo")


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo, with all its temporary files below a directory, by which its processes can be told."""
    process = subprocess.Popen(
        [sys.executable, "-m", "local.demo", *options],
        cwd=PROJECT,
        env={
            **os.environ,
            "TMPDIR": str(directory),
            "HTTP_PROXY": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def left_behind(directory: Path) -> list[str]:
    """The command lines of processes that this demo started and that still run."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(directory).encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:  # it ended meanwhile
            continue
    return found


def wait_until_nothing_is_left(directory: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left_behind(directory) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_behind(directory) == []


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was not printed, but:\n{seen}")


def test_it_deploys_and_starts_a_builder_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with demo(tmp_path, "--name", "gold-7") as process:
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert "= SUCCEEDED" in output
        report = re.search(r"Report to keep, open it in a browser: (\S+)", output)
        assert report, output
        assert "<h1>Image builder " in (PROJECT / report.group(1)).read_text("utf-8")
        assert '"Outcome": "Running"' in output
        assert '"Name": "gold-7"' in output
        assert not re.search(r"warn|deprecat|notice|end-of-life", output, re.IGNORECASE), output
        memory = re.search(r"held (\d+) MiB", output)
        assert memory, output
        assert 50 < int(memory.group(1)) < 400
        assert left_behind(tmp_path) == []
        assert not list(tmp_path.glob("start-image-builder-*"))


def test_a_guard_ends_the_demo_with_the_builder_stopped_again(tmp_path: Path) -> None:
    with demo(tmp_path, "--stop-after", "30") as process:
        output, _ = process.communicate()
        assert process.returncode == 0, output
        assert '"Outcome": "Stopped"' in output
        assert "is STOPPED: it is no longer billed" in output


def test_a_start_that_fails_is_told_and_gives_a_status_of_its_own(tmp_path: Path) -> None:
    with demo(tmp_path, "--fault", "InvalidAccountStatusException") as process:
        output, _ = process.communicate()
        assert process.returncode == 1, output
        assert '"Error": "InvalidAccountStatusException"' in output
        assert "What the operators are told" in output
        assert "contact AWS Support" in output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything_it_started(tmp_path: Path, signum: signal.Signals) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Start MiniStack")
        assert left_behind(tmp_path)
        process.send_signal(signum)
        process.send_signal(signum)  # an impatient second one
        assert "Interrupted" in read_until(process, "Interrupted")
        assert process.wait() == 130
        assert left_behind(tmp_path) == []


def test_even_when_it_is_killed_nothing_goes_on(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Start MiniStack")
        process.kill()
        process.wait()
        wait_until_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("option", "sentence"),
    [
        ("--fault=no such thing", "FAULT: 'no such thing' is neither an error code nor one of"),
        ("--fault=", "FAULT: '' is neither an error code nor one of"),
        ("--stop-after=abc", "STOP_AFTER: must be a whole number of minutes, not 'abc'"),
        ("--stop-after=", "STOP_AFTER: must be a whole number of minutes, not ''"),
    ],
)
def test_an_option_that_cannot_be_is_refused_by_its_rule(tmp_path: Path, option: str, sentence: str) -> None:
    with demo(tmp_path, option) as process:
        output, _ = process.communicate()
        assert process.returncode == 2
        assert output.startswith(sentence)
