"""The workflow that stops an image builder at once, and the limits that it shares with the auto-stop."""

from typing import Any

import pytest

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.scripted import add_fault, after, answers, fails, state, stops

STOP = {"Name": BUILDER}
MINUTE = 60


@pytest.mark.parametrize(
    ("builder", "outcome", "calls"),
    [
        ({"state": "RUNNING"}, "Stopped", 1),
        ({"state": "STOPPED"}, "AlreadyStopped", 0),
        ({"state": [["STOPPING", 200], ["STOPPED", None]]}, "AlreadyStopped", 0),
        ({"state": [["PENDING", 400], ["RUNNING", None]]}, "Stopped", 1),
        ({"state": [["SOMETHING_NEW", 400], ["RUNNING", None]]}, "Stopped", 1),
        ({"state": "FAILED"}, "LeftAlone", 0),
        ({"state": "DELETING"}, "LeftAlone", 0),
    ],
)
def test_a_stop_converges(world: World, builder: dict[str, Any], outcome: str, calls: int) -> None:
    world.prepare(builder)
    stop = world.run_stop(STOP)
    assert (stop.status, stop.output["Outcome"], stops(world)) == ("SUCCEEDED", outcome, calls), stop.cause
    assert set(stop.output) == {"Outcome", "Why", "ImageBuilder", "WaitedSeconds"}
    assert stop.output["Why"]
    assert outcome == "LeftAlone" or state(world) == "STOPPED"
    assert world.topic.messages == []


ADVICE = {
    "RUNNING": "Stop the image builder in the AppStream console",
    "PENDING": "No action is possible while it is PENDING",
    "STOPPING": "The stop was accepted, and does not end",
    "SNAPSHOTTING": "An image is being created. It cannot be stopped until that has ended",
}


@pytest.mark.parametrize("stuck", ADVICE)
@pytest.mark.parametrize("minutes", [5, 60, 720])
def test_a_stop_that_does_not_end_notifies_at_its_deadline_with_advice_for_the_state(
    world: World, stuck: str, minutes: int
) -> None:
    faults = [answers("StopImageBuilder", "OperationNotPermittedException")] if stuck == "RUNNING" else []
    world.prepare({"state": stuck}, faults)
    began = world.clock.now()
    stop = world.run_stop({"Name": BUILDER, "TimeoutMinutes": minutes})
    assert (stop.error, stop.cause["Aim"], stop.cause["OperatorsNotified"]) == (
        "ImageBuilderStopTimedOut",
        "stop",
        True,
    )
    assert f"still {stuck} {minutes} minutes after it was due to be stopped" in stop.cause["Message"]
    assert stop.cause["Advice"].startswith(ADVICE[stuck])
    assert world.clock.now() - began <= (minutes + 1) * MINUTE
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize(
    "trouble",
    [
        answers("StopImageBuilder", "OperationNotPermittedException"),
        answers("StopImageBuilder", "InternalFailure"),
        answers("StopImageBuilder", "ThrottlingException"),
        answers("DescribeImageBuilders", "InternalFailure"),
        answers("ListTagsForResource", "ThrottlingException"),
        {"operation": "*", "delay": 60, "times": None},
        {"operation": "*", "drop": "before", "times": None},
    ],
    ids=lambda trouble: f"{trouble['operation']}-{list(trouble)[1]}",
)
def test_the_operators_are_notified_within_an_hour_whatever_hinders_the_stop(
    world: World, trouble: dict[str, Any]
) -> None:
    world.prepare({"state": "RUNNING"}, [trouble])
    began = world.clock.now()
    stop = world.run_stop(STOP)
    assert (stop.error, len(world.topic.messages)) == ("ImageBuilderStopTimedOut", 1)
    assert world.clock.now() - began <= 62 * MINUTE


@pytest.mark.parametrize("error", ["States.Timeout", "Sandbox.Timedout", "Lambda.Unknown", "Runtime.ExitError"])
@pytest.mark.parametrize("function", ["describe_image_builder", "stop_image_builder"])
def test_tasks_that_fail_for_ever_end_within_the_hour_that_they_count(world: World, error: str, function: str) -> None:
    world.prepare({"state": "RUNNING"})
    world.engine.script = {function: [fails(error)] * 200}
    stop = world.run_stop(STOP)
    assert (stop.error, len(world.topic.messages)) == ("ImageBuilderStopTimedOut", 1)
    assert f"The last error was {error}." in stop.cause["Message"]
    # A task may last 90 seconds when it times out: the clock counts that.
    pause = 90 if error in ("States.Timeout", "Sandbox.Timedout") else 0
    failed = stop.states.count("Poll image builder" if function == "describe_image_builder" else "Stop image builder")
    assert failed * (60 + pause) <= 64 * MINUTE


def test_two_clocks_wait_and_stop(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    add_fault(world, answers("StopImageBuilder", "OperationNotPermittedException"))
    began = world.clock.now()
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 600, "TimeoutMinutes": 30})
    assert stop.error == "ImageBuilderStopTimedOut"
    assert 630 * MINUTE <= world.clock.now() - began <= 631 * MINUTE


@pytest.mark.parametrize(
    "code", ["ConcurrentModificationException", "OperationNotPermittedException", "ThrottlingException"]
)
def test_a_transient_error_is_repeated_by_the_loop(world: World, code: str) -> None:
    world.prepare({"state": "RUNNING"}, [answers("StopImageBuilder", code, 3)])
    stop = world.run_stop(STOP)
    assert (stop.status, stops(world), stop.output["Outcome"]) == ("SUCCEEDED", 1, "Stopped")


@pytest.mark.parametrize(
    ("operation", "code", "error", "route"),
    [
        ("StopImageBuilder", "AccessDeniedException", "AccessDeniedException", "notify"),
        ("ListTagsForResource", "AccessDeniedException", "AccessDeniedException", "notify"),
        ("DescribeImageBuilders", "ExpiredTokenException", "AccessDeniedException", "notify"),
        ("StopImageBuilder", "InvalidAccountStatusException", "InvalidAccountStatusException", "notify"),
        ("StopImageBuilder", "InvalidParameterCombinationException", "ValidationException", "fail"),
        ("StopImageBuilder", "SomethingNewException", "SomethingNewException", "notify"),
    ],
)
def test_two_refusals_end_it(world: World, operation: str, code: str, error: str, route: str) -> None:
    world.prepare({"state": "RUNNING"}, [answers(operation, code)])
    stop = world.run_stop(STOP)
    assert (stop.error, stop.cause["Route"], stop.cause["Name"]) == (error, route, BUILDER)
    assert (stops(world), len(world.topic.messages)) == (0, 1)


def test_a_stop_of_no_builder_fails(world: World) -> None:
    stop = world.run_stop(STOP)
    assert (stop.error, stop.cause["Route"], len(world.topic.messages)) == ("ResourceNotFoundException", "fail", 1)


@pytest.mark.parametrize("execution_input", [{}, {"Name": ""}, {"Name": BUILDER, "DryRun": True}, [], {"Name": 7}, "x"])
def test_a_refused_request_reaches_no_call(world: World, execution_input: Any) -> None:
    stop = world.run_stop(execution_input)
    assert (stop.error, stop.cause["Route"], stop.cause["Aim"]) == ("InvalidRequest", "fail", "stop")
    assert world.fake.calls == []


@pytest.mark.parametrize(
    "lost", [{"drop": "after"}, {"drop": "before"}, {"delay": 60}, {"answer": {"ImageBuilder": None}}]
)
def test_a_lost_answer_leads_to_one_stop(world: World, lost: dict[str, Any]) -> None:
    world.prepare({"state": "RUNNING"}, [{"operation": "StopImageBuilder", "times": 1, **lost}])
    stop = world.run_stop(STOP)
    assert (stop.status, stop.output["Outcome"], stops(world), state(world)) == ("SUCCEEDED", "Stopped", 1, "STOPPED")


def test_a_lost_answer_and_a_stop_that_hangs_notifies(world: World) -> None:
    world.prepare(
        {"state": "RUNNING", "durations": {"stopping": 100_000}},
        [{"operation": "StopImageBuilder", "drop": "after", "times": 1}],
    )
    stop = world.run_stop(STOP)
    assert (stop.error, len(world.topic.messages)) == ("ImageBuilderStopTimedOut", 1)
    assert stop.cause["Advice"].startswith("The stop was accepted, and does not end")


@pytest.mark.parametrize(("request_", "tag"), [(STOP, "Skip_Stop"), ({**STOP, "SkipTag": "Keep"}, "Keep")])
def test_a_tag_forbids_the_stop(world: World, request_: dict[str, Any], tag: str) -> None:
    world.prepare({"state": "RUNNING", "tags": {tag: ""}})
    stop = world.run_stop(request_)
    assert (stop.output["Outcome"], stop.output["Why"]) == ("Skipped", f"It carries the tag {tag}.")
    assert (stops(world), state(world)) == (0, "RUNNING")


def test_another_tag_does_not(world: World) -> None:
    world.prepare({"state": "RUNNING", "tags": {"skip_stop": "1", "Owner": "Skip_Stop"}})
    assert world.run_stop(STOP).output["Outcome"] == "Stopped"


@pytest.mark.parametrize("begin", range(0, 60, 20))
def test_a_start_by_somebody_else_after_the_stop_is_not_waited_for(world: World, begin: int) -> None:
    world.prepare({"state": "RUNNING", "durations": {"stopping": 100}})
    after(world, 101 + begin, lambda: world.fake.call("StartImageBuilder", {"Name": BUILDER}))
    stop = world.run_stop(STOP)
    assert (stop.status, stop.output["Outcome"], stops(world)) == ("SUCCEEDED", "Stopped", 1)
    assert world.topic.messages == []


def test_an_error_of_the_code_is_notified_as_one_of_a_stop(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    world.engine.script = {"validate_request": [fails("KeyError")] * 5}
    stop = world.run_stop(STOP)
    assert (stop.error, stop.cause["Aim"], stop.cause["OperatorsNotified"]) == ("KeyError", "stop", True)
