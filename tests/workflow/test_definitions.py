"""The definitions, read as data: what every execution begins with, and how each kind of Task is retried."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli import definition as definitions
from cli.definition import FLEET, START, STOP
from lambdas.image_builder.errors import ERRORS
from tests.workflow.conftest import World
from tests.workflow.scripted import CRASHES

BUSY = ["AWSStepFunctionsException", "ExecutionLimitExceededException", "SdkClientException", "ThrottlingException"]
UNREADABLE = ["InvalidRequest", "Runtime.UnmarshalError"]
DENIED = ["AccessDeniedException", "InvalidAccountStatusException", *UNREADABLE, "ValidationException"]
IN_SECONDS = {"ThrottlingException", "ServiceUnavailableException", "InvalidRequest", "Unknown"}
EVERY_ERROR = ["States.ALL"]


def retrier(attempts: int, names: list[str]) -> dict[str, Any]:
    numbers = {"IntervalSeconds": 5, "BackoffRate": 2, "MaxDelaySeconds": 60, "JitterStrategy": "FULL"}
    return {"ErrorEquals": names, "MaxAttempts": attempts, **(numbers if attempts else {})}


def read(*never: list[str]) -> list[Any]:
    return [*(retrier(0, names) for names in never), retrier(4, EVERY_ERROR)]


NOTIFY = [retrier(6, EVERY_ERROR)]
RETRIES = {
    ("start_image_builder", "Validate request"): read(UNREADABLE),
    ("start_image_builder", "Start image builder"): read(sorted(ERRORS.keys() - IN_SECONDS), CRASHES),
    ("start_image_builder", "Schedule auto-stop"): NOTIFY,
    ("start_image_builder", "Notify of success"): NOTIFY,
    ("start_image_builder", "Publish running event"): NOTIFY,
    ("start_image_builder", "Schedule stop on failure"): NOTIFY,
    ("start_image_builder", "Publish failure event"): NOTIFY,
    ("start_image_builder", "Notify operators"): NOTIFY,
    ("stop_image_builder", "Validate request"): read(UNREADABLE),
    ("stop_image_builder", "Notify operators"): NOTIFY,
    ("start_fleet", "List image builders"): read(DENIED),
    ("start_fleet", "Start image builder"): [retrier(6, [f"StepFunctions.{error}" for error in BUSY])],
    ("start_fleet", "Read failure"): NOTIFY,
    ("start_fleet", "Notify operators"): NOTIFY,
}


def states_of(world: World) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Every state of the definitions that the world runs, by the name of its definition and its own."""
    texts = {START: world.engine.definition, STOP: definitions.definition(STOP), FLEET: definitions.definition(FLEET)}
    for path, text in texts.items():
        states = json.loads(text)["States"]
        children = [state["ItemProcessor"]["States"] for state in states.values() if "ItemProcessor" in state]
        for name, state in [item for each in [states, *children] for item in each.items()]:
            yield (path.name.partition(".")[0], name), state


def test_each_kind_of_task_has_one_retry_list_and_a_poll_has_none(world: World) -> None:
    assert {name: state["Retry"] for name, state in states_of(world) if "Retry" in state} == RETRIES


@pytest.mark.parametrize("workflow", ["start_image_builder", "stop_image_builder"])
def test_every_variable_is_declared_before_the_first_branch(world: World, workflow: str) -> None:
    """AWS refuses a variable that was never assigned; the engine of these tests does not."""
    states = {name: state for (of, name), state in states_of(world) if of == workflow}
    parts = [part for state in states.values() for part in (state, *state.get("Catch", []), *state.get("Choices", []))]
    assigned = {name for part in parts for name in part.get("Assign", {})}
    # These two are read by the branch alone that assigns them.
    assert assigned - {"failure", "cause"} == set(states["Read request"]["Assign"])


NOTHING: dict[str, Any] = {
    "name": "{% [$states.input.Name, $states.input.detail.Name, ''][0] %}",
    "request": {},
    "error": None,
}
NO_POLL = {"Route": "notify", "Message": "The state of the image builder is not known: no poll has succeeded."}
START_TIMED_OUT, STOP_TIMED_OUT = ({"Error": f"ImageBuilder{aim}TimedOut", **NO_POLL} for aim in ("Start", "Stop"))
BEGINNINGS: dict[tuple[str, str], dict[str, Any]] = {
    ("start_image_builder", "Read request"): NOTHING
    | dict.fromkeys(["deadlineSeconds", "waitedSeconds", "pollSeconds", "attempts", "polls", "failedPolls"], 0)
    | dict.fromkeys(["shortName", "autoStopError", "presumed"], "{% '' %}")
    | dict.fromkeys(["wantsAutoStop", "notified"], False)
    | dict.fromkeys(["autoStop", "lost"])
    | {"refusals": 0, "autoStopTries": 0, "autoStopResult": {}, "tracking": {"Claim": "None"}}
    | {"status": {"Phase": "Unknown", "Seen": {}, "TimedOut": START_TIMED_OUT}},
    ("stop_image_builder", "Read request"): NOTHING
    | dict.fromkeys(["waitedSeconds", "failedSeconds", "refusals", "stopRefusals"], 0)
    | {"pollSeconds": 60, "lastError": "{% '' %}", "tracking": {}, "notified": False}
    | {"taskSeconds": {"Sandbox.Timedout": 90, "ServiceUnavailableException": 25, "States.Timeout": 90}}
    # Above TimeoutMinutes and StopAfterMinutes together, until the first poll says when.
    | {"status": {"Action": "Wait", "DeadlineSeconds": 259_200, "Seen": {}, "TimedOut": STOP_TIMED_OUT}},
    ("start_fleet", "List image builders"): {"notified": False, "summary": {}},
}


@pytest.mark.parametrize("state", BEGINNINGS, ids=" ".join)
def test_an_execution_begins_knowing_nothing(world: World, state: tuple[str, str]) -> None:
    found = dict(states_of(world))[state]
    for assigned in (found["Assign"], *(catcher["Assign"] for catcher in found.get("Catch", []))):
        known = {name: assigned[name] for name in BEGINNINGS[state] if name in assigned}
        known.get("status", {}).get("TimedOut", {}).pop("Advice", None)
        assert known == BEGINNINGS[state]
