"""The commands of the Makefile for a deployment, against the emulator as against AWS: by the environment."""

import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import PATIENCE_SECONDS, Deployment

PROJECT = Path(__file__).parents[2]


def command(deployment: Deployment, module: str, *options: str, cwd: Path = PROJECT) -> tuple[int, str]:
    """The exit status and the output of a command."""
    done = subprocess.run(
        [sys.executable, "-m", f"cli.{module}", *options],
        cwd=cwd,
        env={**deployment.stack.environment, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_the_commands_watch_and_report_any_execution(deployment: Deployment, tmp_path: Path) -> None:
    name = f"watched-{uuid4().hex[:8]}"
    deployment.stack.appstream.put_builder(name)
    execution = deployment.start({"Name": name})
    status, watched = command(deployment, "watch", "--execution", execution)
    assert status == 0, watched
    assert "> Start image builder" in watched
    assert watched.index(f"{name} is RUNNING. This execution started it.") < watched.index('"Outcome": "Running"')
    file = f"report-{execution.rpartition(':')[2]}.html"
    assert command(deployment, "report", "--execution", execution, cwd=tmp_path) == (0, f"Report: {file}\n")
    assert f"<h1>Start of image builder {name}</h1>" in (tmp_path / file).read_text("utf-8")
    output = tmp_path / "new" / "report.html"
    named = command(deployment, "report", "--execution", execution, "--output", str(output))
    assert named == (0, f"Report: {output}\n")
    assert output.exists()


@pytest.mark.parametrize("module", ["watch", "report"])
def test_an_execution_that_does_not_exist_is_a_sentence(deployment: Deployment, module: str) -> None:
    execution = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:none"
    status, text = command(deployment, module, "--execution", execution)
    assert status == 2
    assert "ExecutionDoesNotExist" in text
    assert "Traceback" not in text


def test_a_report_that_cannot_be_written_is_a_sentence(deployment: Deployment) -> None:
    execution = deployment.start({"Name": ""})
    deployment.wait(execution)
    status, text = command(deployment, "report", "--execution", execution, "--output", "/dev/null/report.html")
    assert status == 2
    assert text.startswith("OUTPUT: the report could not be written")


def test_an_auto_stop_is_listed_extended_and_cancelled(deployment: Deployment) -> None:
    name = f"pending-{uuid4().hex[:8]}"
    option = f"--name={name}"
    deployment.stack.appstream.put_builder(name)
    deployment.wait(deployment.start({"Name": name, "StopAfterMinutes": 10_000}))
    status, listed = command(deployment, "auto_stops", "list", option)
    assert (status, listed.count("\n")) == (0, 1)
    assert listed.startswith(f"{name}  stops 10000 minutes after it is RUNNING, scheduled ")
    old = listed.split()[-1]

    status, text = command(deployment, "auto_stops", "extend", option, "--minutes=9000")
    assert status == 0, text
    described = deployment.stepfunctions.describe_execution(executionArn=old)
    assert (described["status"], described["error"]) == ("ABORTED", "AutoStopCancelled")
    assert re.fullmatch(r"Replaced by \S+, by arn:\S+ with `make extend-auto-stop`\.", described["cause"])
    new = command(deployment, "auto_stops", "list", option)[1]
    assert new.startswith(f"{name}  stops 9000 minutes after it is RUNNING")
    assert new.split()[-1] in described["cause"]

    assert command(deployment, "auto_stops", "cancel", option)[0] == 0
    assert command(deployment, "auto_stops", "list", option) == (0, f"No auto-stop of {name} is pending.\n")
    assert command(deployment, "auto_stops", "cancel", option) == (1, f"No auto-stop of {name} is pending.\n")
    assert deployment.stack.appstream.builder(name)["State"] == "RUNNING"
    assert not [text for text in deployment.messages() if old in text or new.split()[-1] in text]


def test_an_extended_auto_stop_counts_its_minutes_from_the_extension(deployment: Deployment) -> None:
    name = f"extended-{uuid4().hex[:8]}"
    deployment.stack.appstream.put_builder(name)
    deployment.wait(deployment.start({"Name": name, "StopAfterMinutes": 10_000}))
    assert command(deployment, "auto_stops", "extend", f"--name={name}", "--minutes=5")[0] == 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while deployment.stack.appstream.builder(name)["State"] != "STOPPED":
        assert time.monotonic() < deadline, "the extended auto-stop did not stop it"
        time.sleep(0.2)
