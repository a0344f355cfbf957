"""The demo as a user runs it: a process of its own, its output, its exit status, and nothing left behind."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from local.demo import show
from local.demo_faults import named
from local.emulator import PROJECT
from tests.e2e.conftest import Deployment, eventually


@contextmanager
def demo(directory: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """The demo, with all its temporary files below a directory, by which its processes are found."""
    proxy = {"HTTP_PROXY": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}
    with subprocess.Popen(
        [sys.executable, "-m", "local.demo", *options],
        cwd=PROJECT,
        env={**os.environ, **proxy, "TMPDIR": str(directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def left_behind(directory: Path) -> list[str]:
    """The command lines of processes that this demo started and that still run."""
    # Those of other users have no environment for us.
    processes = psutil.process_iter(["cmdline", "environ"])
    return [
        " ".join(process.info["cmdline"] or [])
        for process in processes
        if any(str(directory) in value for value in (process.info["environ"] or {}).values())
    ]


def read_until(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdout
    assert any(text in line for line in process.stdout), f"{text!r} was not printed"


def files() -> set[str]:
    """What the checkout has besides what git has, without what Python and the other tests write meanwhile."""
    git = ["git", "status", "--porcelain", "--ignored"]
    listed = subprocess.run(git, cwd=PROJECT, capture_output=True, text=True, check=True).stdout.splitlines()
    return {line for line in listed if not re.search("__pycache__|/\\.(hypothesis|pytest_cache)", f"/{line[3:]}")}


# Not while commands of the documentation, which write into the checkout, are run.
@pytest.mark.xdist_group("commands")
def test_it_deploys_and_starts_an_image_builder_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = files()
    with demo(tmp_path, "--name", "gold-7") as process:
        output, _ = process.communicate()
    assert process.returncode == 0, output
    assert left_behind(tmp_path) == []
    assert not list(tmp_path.glob("start-image-builder-*"))
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


# These two run on the deployment that the tests share.
def test_an_auto_stop_ends_the_demo_with_the_image_builder_stopped_again(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert show(deployment.stack, {"Name": "gold-8", "StopAfterMinutes": 6}, None) == 0
    output = capsys.readouterr().out
    assert deployment.state("gold-8") == "STOPPED"
    assert '"Outcome": "Stopped"' in output
    assert "is STOPPED: it is no longer billed" in output
    titles = {re.search("<h1>(.*)</h1>", page.read_text("utf-8"))[1] for page in tmp_path.glob("*/*.html")}  # type: ignore[index]
    assert titles == {"Start of image builder gold-8", "Auto-stop of image builder gold-8"}


def test_a_failure_that_the_fault_makes_is_as_expected(
    deployment: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert show(deployment.stack, {"Name": "gold-9"}, named("InvalidAccountStatusException")) == 0
    output = capsys.readouterr().out
    assert "Notification of the operators" in output
    assert "because your AWS account is suspended" in output
    assert "As expected, the run failed with InvalidAccountStatusException" in output


def test_an_interrupt_ends_everything_it_started(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        read_until(process, "Start MiniStack")
        process.send_signal(signal.SIGTERM)
        sent = time.monotonic()
        read_until(process, "Stopping...")
        assert time.monotonic() - sent < 1
        process.send_signal(signal.SIGTERM)  # an impatient second one
        read_until(process, "Interrupted: everything that the demo started has ended.")
        assert process.wait() == 130
        assert left_behind(tmp_path) == []


def test_even_when_it_is_killed_nothing_goes_on(tmp_path: Path) -> None:
    with demo(tmp_path) as process:
        eventually(psutil.Process(process.pid).children, "the start of MiniStack")
        process.kill()
        process.wait()
        eventually(lambda: not left_behind(tmp_path), "the end of MiniStack")
