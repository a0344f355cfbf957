"""The demo as a user runs it: a process of its own, its output, its exit status, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import demo as local_demo
from local.demo_faults import Fault, named
from tests.e2e.conftest import Deployment

PROJECT = Path(__file__).parents[2]
PATIENCE_SECONDS = 60


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo, with all its temporary files below a directory, by which its processes are found."""
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    process = subprocess.Popen(
        [sys.executable, "-m", "local.demo", *options],
        cwd=PROJECT,
        env={**os.environ, **proxy, "TMPDIR": str(directory)},
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


def finished(directory: Path, *options: str, status: int = 0) -> str:
    """The output of a demo that ends with a status."""
    with demo(directory, *options) as process:
        output, _ = process.communicate()
        assert process.returncode == status, output
    assert left_behind(directory) == []
    assert not list(directory.glob("start-image-builder-*"))
    return output


def left_behind(directory: Path) -> list[str]:
    """The command lines of processes that this demo started and that still run."""
    # Those of other users have no environment for us.
    processes = psutil.process_iter(["cmdline", "environ"])
    return [
        " ".join(process.info["cmdline"] or [])
        for process in processes
        if any(str(directory) in value for value in (process.info["environ"] or {}).values())
    ]


def read_until(process: subprocess.Popen[str], text: str) -> str:
    assert process.stdout
    seen = ""
    for line in process.stdout:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was not printed, but:\n{seen}")


def files() -> set[str]:
    """The files of the checkout that git neither has nor ignores, and those that it ignores at the top."""
    git = ["git", "status", "--porcelain", "--ignored", "--untracked-files=all"]
    listed = subprocess.run(git, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line for line in listed if "__pycache__" not in line}


# Not while commands of the documentation, which write into the checkout, are run.
@pytest.mark.xdist_group("commands")
def test_it_deploys_and_starts_an_image_builder_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = files()
    output = finished(tmp_path, "--name", "gold-7")
    assert files() == before, "the demo wrote into the checkout"
    assert "= SUCCEEDED" in output
    assert output.index("gold-7 is RUNNING. This execution started it.") < output.index('"Outcome": "Running"')
    report = re.search(r"Report to keep, open it in a browser: (\S+)", output)
    assert report, output
    assert Path(report[1]).is_relative_to(tmp_path)
    assert "<h1>Start of image builder gold-7</h1>" in Path(report[1]).read_text("utf-8")
    assert "gold-7 is RUNNING: an administrator would now connect to it." in output
    assert not re.search(r"warn|deprecat|notice|end-of-life", output, re.IGNORECASE), output
    memory = re.search(r"held (\d+) MiB", output)
    assert memory, output
    assert 50 < int(memory[1]) < 400


@pytest.fixture
def shown(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """The output of a demo that is as expected, on the deployment that the tests share."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def show(request: dict[str, Any], fault: Fault | None = None) -> str:
        assert local_demo.show(deployment.stack, request, fault) == 0
        return capsys.readouterr().out

    return show


def test_an_auto_stop_ends_the_demo_with_the_image_builder_stopped_again(
    shown: Callable[..., str], tmp_path: Path
) -> None:
    output = shown({"Name": "gold-8", "StopAfterMinutes": 30})
    assert '"Outcome": "Stopped"' in output
    assert "is STOPPED: it is no longer billed" in output
    titles = {re.search("<h1>(.*)</h1>", page.read_text("utf-8"))[1] for page in tmp_path.glob("*/*.html")}  # type: ignore[index]
    assert titles == {"Start of image builder gold-8", "Auto-stop of image builder gold-8"}


def test_a_failure_that_the_fault_makes_is_as_expected(shown: Callable[..., str]) -> None:
    output = shown({"Name": "gold-9"}, named("InvalidAccountStatusException"))
    assert '"Error": "InvalidAccountStatusException"' in output
    assert "Notification of the operators" in output
    assert "because your AWS account is suspended" in output
    assert "As expected, the run failed with InvalidAccountStatusException" in output


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_everything_it_started(tmp_path: Path, signum: signal.Signals) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Start MiniStack")
        assert left_behind(tmp_path)
        process.send_signal(signum)
        sent = time.monotonic()
        read_until(process, "Stopping...")
        assert time.monotonic() - sent < 1
        process.send_signal(signum)  # an impatient second one
        read_until(process, "Interrupted: everything that the demo started has ended.")
        assert process.wait() == 130
        assert left_behind(tmp_path) == []


def test_even_when_it_is_killed_nothing_goes_on(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Start MiniStack")
        process.kill()
        process.wait()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while left_behind(tmp_path) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert left_behind(tmp_path) == []
