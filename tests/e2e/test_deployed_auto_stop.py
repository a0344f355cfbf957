"""The auto-stop on the deployed template: a start schedules it, and it stops the image builder, or leaves it alone."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import FIRST, Deployment


def new_builder(deployment: Deployment, **settings: Any) -> str:
    name = f"builder-{uuid4().hex[:12]}"
    deployment.stack.appstream.put_builder(name, **settings)
    return name


def state(deployment: Deployment, name: str) -> str:
    found: str = deployment.stack.appstream.builder(name)["State"]
    return found


def auto_stop(deployment: Deployment, name: str, minutes: int) -> str:
    """The auto-stop of a start that has ended."""
    start = deployment.wait(deployment.start({"Name": name, "StopAfterMinutes": minutes}))
    assert start["status"] == "SUCCEEDED", start
    execution: str = json.loads(start["output"])["AutoStop"]["Execution"]
    return execution


def outcome(deployment: Deployment, execution: str) -> str:
    end = deployment.wait(execution)
    assert end["status"] == "SUCCEEDED", end
    found: str = json.loads(end["output"])["Outcome"]
    return found


def test_an_auto_stop_stops_what_its_start_started(deployment: Deployment) -> None:
    name = new_builder(deployment)
    assert outcome(deployment, auto_stop(deployment, name, 6)) == "Stopped"
    assert state(deployment, name) == "STOPPED"


def test_a_tag_forbids_the_auto_stop(deployment: Deployment) -> None:
    name = new_builder(deployment, tags={"Skip_Stop": ""})
    assert outcome(deployment, auto_stop(deployment, name, 1)) == "Skipped"
    assert state(deployment, name) == "RUNNING"


def test_an_auto_stop_outlasts_a_start_that_timed_out(deployment: Deployment) -> None:
    name = new_builder(deployment, next_start="PENDING")
    start = deployment.wait(deployment.start({"Name": name, "TimeoutMinutes": 5, "StopAfterMinutes": 1}))
    assert start["error"] == "ImageBuilderStartTimedOut"
    machine = deployment.stack.outputs(FIRST)["StopStateMachineArn"].replace(":stateMachine:", ":execution:")
    deployment.stack.appstream.put_builder(name, state="RUNNING")
    assert outcome(deployment, f"{machine}:{start['name']}-stop-1") == "Stopped"
    assert state(deployment, name) == "STOPPED"


@pytest.mark.full  # tests/workflow/test_auto_stop.py
def test_an_auto_stop_leaves_the_start_of_somebody_else_alone(deployment: Deployment) -> None:
    name = new_builder(deployment, durations={"stopping": 10})
    earlier = auto_stop(deployment, name, 600)
    deployment.stack.client("appstream").stop_image_builder(Name=name)
    later = auto_stop(deployment, name, 12)
    assert outcome(deployment, earlier) == "LeftAlone"
    assert outcome(deployment, later) == "Stopped"


def test_a_stop_that_fails_is_notified(deployment: Deployment) -> None:
    name = f"builder-{uuid4().hex[:12]}"
    execution = deployment.start({"Name": name}, deployment.stack.outputs(FIRST)["StopAliasArn"])
    assert deployment.wait(execution)["error"] == "ResourceNotFoundException"
    (message,) = [message for message in deployment.messages() if execution in message]
    assert message.startswith(f"Image builder {name} was not stopped.")
