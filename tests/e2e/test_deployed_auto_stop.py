"""The auto-stop on the deployed template: a start schedules it, and it stops the image builder, or leaves it alone.

That it stops what its start has started is in test_make_demo.py.
"""

import json

import pytest

from tests.e2e.conftest import Deployment


def auto_stop(deployment: Deployment, name: str, minutes: int) -> str:
    """The auto-stop of a start that has ended."""
    start = deployment.run({"Name": name, "StopAfterMinutes": minutes})
    assert start["status"] == "SUCCEEDED", start
    execution: str = json.loads(start["output"])["AutoStop"]["Execution"]
    return execution


def outcome(deployment: Deployment, execution: str) -> str:
    end = deployment.wait(execution)
    assert end["status"] == "SUCCEEDED", end
    found: str = json.loads(end["output"])["Outcome"]
    return found


def test_a_tag_forbids_the_auto_stop(deployment: Deployment) -> None:
    name = deployment.builder(tags={"Skip_Stop": ""})
    assert outcome(deployment, auto_stop(deployment, name, 1)) == "Skipped"
    assert deployment.state(name) == "RUNNING"


def test_an_auto_stop_outlasts_a_start_that_timed_out(deployment: Deployment) -> None:
    name = deployment.builder(next_start="PENDING")
    start = deployment.run({"Name": name, "TimeoutMinutes": 5, "StopAfterMinutes": 1})
    assert start["error"] == "ImageBuilderStartTimedOut"
    machine = deployment.outputs["StopStateMachineArn"].replace(":stateMachine:", ":execution:")
    deployment.stack.appstream.put_builder(name, state="RUNNING")
    assert outcome(deployment, f"{machine}:{start['name']}-stop-1") == "Stopped"
    assert deployment.state(name) == "STOPPED"


@pytest.mark.full  # tests/workflow/test_auto_stop.py
def test_an_auto_stop_leaves_the_start_of_somebody_else_alone(deployment: Deployment) -> None:
    name = deployment.builder(durations={"stopping": 10})
    earlier = auto_stop(deployment, name, 600)
    deployment.stack.client("appstream").stop_image_builder(Name=name)
    later = auto_stop(deployment, name, 12)
    assert outcome(deployment, earlier) == "LeftAlone"
    assert outcome(deployment, later) == "Stopped"


def test_a_stop_that_fails_is_notified(deployment: Deployment) -> None:
    end = deployment.run({"Name": "no-such-builder"}, deployment.outputs["StopAliasArn"])
    assert end["error"] == "ResourceNotFoundException"
    (message,) = deployment.messages(end["executionArn"])
    assert message.startswith("Image builder no-such-builder was not stopped.")
