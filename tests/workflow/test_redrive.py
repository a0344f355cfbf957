"""A redriven execution goes on at the state that it did not finish, with its variables, whatever has happened since.

Step Functions reruns the unsuccessful state of an execution that failed, was stopped or timed out, with the definition
that it had. Source: AWS Step Functions API reference, RedriveExecution. No engine here has redrive: the execution is
begun at that state instead, after a Pass state that gives it the variables.
"""

import json
from typing import Any

import pytest

from lambdas.image_builder.request import parse_request
from lambdas.image_builder.state import status_of_start
from tests.scenarios import BUILDER
from tests.workflow.conftest import World

REQUEST = parse_request({"Name": BUILDER})
SEEN = status_of_start({"Name": BUILDER, "State": "PENDING"}, REQUEST, {}, 0, before={"State": "STOPPED"})
WHILE_STARTING: dict[str, Any] = {
    "name": BUILDER,
    "request": REQUEST,
    "deadlineSeconds": 3_600,
    "waitedSeconds": 90,
    "pollSeconds": 30,
    "attempts": 1,
    "polls": 2,
    "tracking": SEEN["Tracking"],
    "status": SEEN,
}
FAILURE = {"Error": "Odd", "Route": "notify", "Message": "So it is.", "Advice": "Fix it."}


def redriven(state: str, **variables: Any) -> World:
    """A world whose executions begin at a state, as a redrive does."""
    world = World.new()
    resumed = json.loads(world.engine.definition)
    resumed["StartAt"] = "Redrive"
    assign = {**resumed["States"]["Read request"]["Assign"], **WHILE_STARTING, **variables}
    resumed["States"]["Redrive"] = {"Type": "Pass", "Assign": assign, "Next": state}
    world.engine.definition = json.dumps(resumed)
    return world


@pytest.mark.parametrize(
    "state", ["Start image builder", "Wait before next poll", "Poll image builder", "Wait before retry"]
)
@pytest.mark.parametrize(
    ("since", "starts"),
    [
        ("RUNNING", 0),
        ([["PENDING", 400], ["RUNNING", None]], 0),
        ([["STOPPING", 200], ["STOPPED", None]], 1),
        ("STOPPED", 1),
    ],
)
def test_a_start_converges_from_the_state_it_was_stopped_in(state: str, since: Any, starts: int) -> None:
    world = redriven(state)
    outcome = world.outcome(world.start({"state": since}))
    assert (outcome.status, outcome.starts, outcome.messages) == ("SUCCEEDED", starts, [])
    assert outcome.output["ImageBuilder"]["State"] == "RUNNING"


@pytest.mark.parametrize("state", ["Read request", "Validate request"])
def test_a_request_that_was_not_yet_validated_is_validated(state: str) -> None:
    assert redriven(state).run({"Name": BUILDER, "Nmae": 1}).error == "InvalidRequest"


def test_a_notified_failure_fails_again_without_a_call_or_a_second_message() -> None:
    cause = {"Name": BUILDER, **{key: FAILURE[key] for key in ("Route", "Message", "Advice")}}
    world = redriven("Fail execution", failure=FAILURE, cause=cause, notified=True)
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert (outcome.status, outcome.error, outcome.calls, outcome.messages) == ("FAILED", "Odd", [], [])


def test_an_execution_that_was_stopped_while_notifying_notifies() -> None:
    world = redriven("Build cause", failure=FAILURE)
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert (outcome.status, outcome.error, outcome.calls, len(outcome.messages)) == ("FAILED", "Odd", [], 1)


def test_an_auto_stop_is_scheduled_once_whether_before_or_after_the_redrive() -> None:
    variables = {"request": parse_request({"Name": BUILDER, "StopAfterMinutes": 30}), "wantsAutoStop": True}
    for scheduled in (None, "arn:aws:states:us-east-1:000000000000:execution:StopImageBuilder:test-stop-1"):
        world = redriven("Poll image builder", **variables, shortName="test", autoStop=scheduled)
        world.start({"state": [["PENDING", 200], ["RUNNING", None]]})
        assert len(world.scheduled) == (scheduled is None)
