"""A redriven execution goes on at the state that it did not finish, with its variables, whatever has happened since.

Step Functions reruns the unsuccessful state of an execution that failed, was stopped or timed out, with the definition
that it had. Source: AWS Step Functions API reference, RedriveExecution. No engine here has redrive: the execution is
begun at that state instead, after a Pass state that gives it the variables.
"""

import json
from typing import Any

import pytest

from cli.definition import definition
from lambdas.image_builder.request import parse_request
from tests.scenarios import BUILDER
from tests.workflow.conftest import World

SEEN = {
    "Phase": "Transitional",
    "Started": True,
    "AgentVersionBefore": None,
    "ImageBuilder": {"Name": BUILDER, "State": "PENDING"},
    "Problem": {"Message": "", "Advice": ""},
}
ON_THE_WAY: dict[str, Any] = {
    "request": parse_request({"Name": BUILDER}),
    "deadlineSeconds": 3_600,
    "waitedSeconds": 90,
    "pollSeconds": 30,
    "attempts": 1,
    "polls": 2,
    "started": True,
    "startedIn": "[]",
    "told": False,
    "look": SEEN,
    "agentVersionBefore": None,
    "progress": [],
}
FAILURE = {"Error": "Odd", "Route": "notify", "Message": "So it is.", "Advice": "Mend it."}


def redriven(state: str, **variables: Any) -> World:
    """A world whose executions begin at a state, as a redrive does."""
    resumed = json.loads(definition())
    resumed["StartAt"] = "Redrive"
    resumed["States"]["Redrive"] = {"Type": "Pass", "Assign": {**ON_THE_WAY, **variables}, "Next": state}
    return World.new(definition=json.dumps(resumed), redriven=True)


UNFINISHED = [
    "Start image builder",
    "Wait before next poll",
    "Poll image builder",
    "Wait before retry",
]


@pytest.mark.parametrize("state", UNFINISHED)
@pytest.mark.parametrize(
    ("since", "starts"),
    [
        ({"state": "RUNNING"}, 0),
        ({"state": [["PENDING", 400], ["RUNNING", None]]}, 0),
        ({"state": [["STOPPING", 200], ["STOPPED", None]]}, 1),
        ({"state": "STOPPED"}, 1),
    ],
    ids=["it-runs", "it-starts", "it-stops", "it-is-stopped"],
)
def test_a_start_converges_from_wherever_it_was_left(state: str, since: dict[str, Any], starts: int) -> None:
    world = redriven(state)
    world.prepare(since)
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.starts, run.messages) == ("SUCCEEDED", starts, [])
    assert run.output["ImageBuilder"]["State"] == "RUNNING"


@pytest.mark.parametrize("state", ["Read request", "Validate request"])
def test_a_request_that_was_not_yet_checked_is_checked(state: str) -> None:
    world = redriven(state)
    assert world.run({"Name": BUILDER, "Nmae": 1}).error == "InvalidRequest"


def test_a_start_that_the_operators_were_told_of_fails_again_without_a_call_or_a_second_message() -> None:
    cause = {"Name": BUILDER, **{key: FAILURE[key] for key in ("Route", "Message", "Advice")}}
    world = redriven("Fail execution", failure=FAILURE, cause=cause, told=True)
    world.prepare({"state": "STOPPED"})
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.error, run.calls, run.messages) == ("FAILED", "Odd", [], [])


def test_an_execution_that_was_stopped_while_telling_tells() -> None:
    world = redriven("Build cause", failure=FAILURE)
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.error, run.calls, len(run.messages)) == ("FAILED", "Odd", [], 1)


def test_the_time_waited_before_counts() -> None:
    world = redriven("Poll image builder", waitedSeconds=3_600)
    world.prepare({"state": "PENDING"})
    run = world.run({"Name": BUILDER})
    assert run.error == "ImageBuilderStartTimedOut"


@pytest.mark.parametrize("options", [{"StopAfterMinutes": 30}, {"StopOnFailure": True, "TimeoutMinutes": 5}])
def test_a_start_after_the_redrive_is_this_executions_and_gets_its_guard(options: dict[str, Any]) -> None:
    request = parse_request({"Name": BUILDER, **options})
    world = redriven("Start image builder", request=request, guard=None, started=False)
    world.prepare({"durations": {"pending": 5_000 if "StopOnFailure" in options else 300}})
    world.run({"Name": BUILDER})
    assert len(world.engine.started) == 1


@pytest.mark.parametrize("options", [{"StopAfterMinutes": 30}, {"StopOnFailure": True, "TimeoutMinutes": 5}])
@pytest.mark.parametrize("since", ["RUNNING", "PENDING"])
def test_it_does_not_know_whose_start_runs_by_now_and_leaves_no_guard(since: str, options: dict[str, Any]) -> None:
    world = redriven("Poll image builder", request=parse_request({"Name": BUILDER, **options}), guard=None)
    world.prepare({"state": since})
    world.run({"Name": BUILDER})
    assert world.engine.started == []
