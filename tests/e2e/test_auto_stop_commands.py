"""Operators list, extend and cancel pending auto-stops by the commands of the Makefile."""

import re
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import pytest

from tests.e2e.conftest import PATIENCE_SECONDS, Deployment

pytestmark = pytest.mark.xdist_group("e2e")


def auto_stops(deployment: Deployment, *arguments: str) -> tuple[int, str]:
    """The exit status and the output of the command."""
    done = subprocess.run(
        [sys.executable, "-m", "cli.auto_stops", *arguments],
        cwd=Path(__file__).parents[2],
        env=deployment.stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_an_auto_stop_is_listed_extended_and_cancelled(deployment: Deployment) -> None:
    name = f"pending-{uuid4().hex[:8]}"
    option = f"--name={name}"
    deployment.stack.appstream.put_builder(name)
    deployment.wait(deployment.start({"Name": name, "StopAfterMinutes": 10_000}))
    status, listed = auto_stops(deployment, "list", option)
    assert (status, listed.count("\n")) == (0, 1)
    assert listed.startswith(f"{name}  stops 10000 minutes after it is RUNNING, scheduled ")
    old = listed.split()[-1]

    status, text = auto_stops(deployment, "extend", option, "--minutes=9000")
    assert status == 0, text
    described = deployment.stepfunctions.describe_execution(executionArn=old)
    assert (described["status"], described["error"]) == ("ABORTED", "AutoStopCancelled")
    assert re.fullmatch(r"Replaced by \S+, by arn:\S+ with `make extend-auto-stop`\.", described["cause"])
    new = auto_stops(deployment, "list", option)[1]
    assert new.startswith(f"{name}  stops 9000 minutes after it is RUNNING")
    assert new.split()[-1] in described["cause"]

    assert auto_stops(deployment, "cancel", option)[0] == 0
    assert auto_stops(deployment, "list", option) == (0, f"No auto-stop of {name} is pending.\n")
    assert auto_stops(deployment, "cancel", option) == (1, f"No auto-stop of {name} is pending.\n")
    assert deployment.stack.appstream.builder(name)["State"] == "RUNNING"


def test_an_extended_auto_stop_counts_its_minutes_from_the_extension(deployment: Deployment) -> None:
    name = f"extended-{uuid4().hex[:8]}"
    deployment.stack.appstream.put_builder(name)
    deployment.wait(deployment.start({"Name": name, "StopAfterMinutes": 10_000}))
    assert auto_stops(deployment, "extend", f"--name={name}", "--minutes=5")[0] == 0
    deadline = time.monotonic() + PATIENCE_SECONDS
    while deployment.stack.appstream.builder(name)["State"] != "STOPPED":
        assert time.monotonic() < deadline, "the extended auto-stop did not stop it"
        time.sleep(0.2)
