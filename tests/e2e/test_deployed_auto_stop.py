"""The guard for real: a start leaves it, and it stops the image builder, or leaves it alone."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.e2e.conftest import Deployment

pytestmark = pytest.mark.xdist_group("e2e")


def new_builder(deployment: Deployment, **settings: Any) -> str:
    name = f"builder-{uuid4().hex[:12]}"
    deployment.stack.appstream.put_builder(name, **settings)
    return name


def state(deployment: Deployment, name: str) -> str:
    found: str = deployment.stack.appstream.builder(name)["State"]
    return found


def guarded(deployment: Deployment, name: str, minutes: int) -> str:
    """Start with a guard. Returns: the guard."""
    start = deployment.wait(deployment.start({"Name": name, "StopAfterMinutes": minutes}))
    assert start["status"] == "SUCCEEDED", start
    guard: str = json.loads(start["output"])["AutoStop"]["Execution"]
    return guard


def outcome(deployment: Deployment, execution: str) -> str:
    end = deployment.wait(execution)
    assert end["status"] == "SUCCEEDED", end
    found: str = json.loads(end["output"])["Outcome"]
    return found


def test_a_guard_stops_what_its_start_brought_up(deployment: Deployment) -> None:
    name = new_builder(deployment)
    guard = guarded(deployment, name, 6)
    assert outcome(deployment, guard) == "Stopped"
    assert state(deployment, name) == "STOPPED"


def test_a_tag_forbids_it(deployment: Deployment) -> None:
    name = new_builder(deployment, tags={"Skip_Stop": ""})
    assert outcome(deployment, guarded(deployment, name, 1)) == "Skipped"
    assert state(deployment, name) == "RUNNING"


def test_a_builder_that_was_stopped_before_is_left_alone(deployment: Deployment) -> None:
    name = new_builder(deployment)
    guard = guarded(deployment, name, 60)
    deployment.stack.client("appstream").stop_image_builder(Name=name)
    assert outcome(deployment, guard) == "LeftAlone"


def test_a_later_start_with_a_guard_replaces_the_earlier_one(deployment: Deployment) -> None:
    name = new_builder(deployment, durations={"stopping": 10})
    earlier = guarded(deployment, name, 600)
    deployment.stack.client("appstream").stop_image_builder(Name=name)
    later = guarded(deployment, name, 12)
    assert outcome(deployment, earlier) == "LeftAlone"
    assert state(deployment, name) == "RUNNING"
    assert outcome(deployment, later) == "Stopped"


def test_a_late_start_is_stopped_when_it_comes_up(deployment: Deployment) -> None:
    name = new_builder(deployment, durations={"pending": 900})
    start = deployment.wait(deployment.start({"Name": name, "TimeoutMinutes": 5, "StopOnFailure": True}))
    assert start["error"] == "ImageBuilderStartTimedOut"
    guard = start["executionArn"].rpartition(":")[2]
    machine = deployment.stack.outputs("StartImageBuilder")["StopStateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{guard}"
    assert arn in json.loads(start["cause"])["Message"]
    assert outcome(deployment, arn) == "Stopped"
    assert state(deployment, name) == "STOPPED"


def test_a_stop_that_fails_is_told(deployment: Deployment) -> None:
    alias = deployment.stack.outputs("StartImageBuilder")["StopAliasArn"]
    name = f"builder-{uuid4().hex[:12]}"
    execution = deployment.stepfunctions.start_execution(stateMachineArn=alias, input=json.dumps({"Name": name}))
    end = deployment.wait(execution["executionArn"])
    assert end["error"] == "ResourceNotFoundException"
    (message,) = [message for message in deployment.messages() if execution["executionArn"] in message]
    assert message.startswith(f"Image builder {name} was not stopped.")
