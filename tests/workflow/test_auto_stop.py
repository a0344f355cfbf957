"""The auto-stop that a start schedules, and what it does: StopAfterMinutes and StopOnFailure."""

import json
from itertools import repeat
from typing import Any

import pytest

from tests.scenarios import BUILDER, answers
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, service_error
from tests.workflow.scripted import INTERFACE, START, fails, finds, kills_after_its_work, starts

LATE = {"durations": {"pending": 1_500}}
UNAVAILABLE = service_error("StartExecution")


def stop_arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:000000000000:execution:StopImageBuilder:{name}"


# Scheduling


def test_an_auto_stop_is_scheduled_as_soon_as_the_start_is_accepted(world: World) -> None:
    execution = world.start(StopAfterMinutes=30, SkipTag="Keep")
    assert execution.states[3:6] == ["Evaluate builder state", "Schedule auto-stop", "Evaluate builder state"]
    (scheduled,) = world.engine.started
    assert scheduled["StateMachineArn"].endswith(":stateMachine:StopImageBuilder:live")
    assert scheduled["Name"] == "test-stop-1"
    assert json.loads(scheduled["Input"]) == {
        "Name": BUILDER,
        "StopAfterMinutes": 30,
        "SkipTag": "Keep",
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN,
    }
    assert execution.output["AutoStop"] == {
        "Execution": stop_arn("test-stop-1"),
        "Why": "It stops the image builder 30 minutes after it is RUNNING.",
    }


@pytest.mark.parametrize("builder", [{"state": "RUNNING"}, {"state": [["PENDING", 200], ["RUNNING", None]]}])
def test_a_start_by_somebody_else_gets_no_auto_stop_and_the_result_says_so(world: World, builder: Any) -> None:
    execution = world.start(builder, StopAfterMinutes=30, NotifyOnSuccess=True)
    why = "This execution is not known to have started the image builder, and schedules no auto-stop."
    assert execution.output["AutoStop"] == {"Execution": None, "Why": why}
    assert world.scheduled == []
    assert why in world.topic.messages[0]["Message"]


@pytest.mark.parametrize("second", [starts(), starts(lost=True), fails("States.Timeout")])
def test_each_attempt_has_an_auto_stop_of_its_own(world: World, second: Any) -> None:
    polls = [finds("STOPPED"), finds("PENDING"), finds("PENDING"), finds("RUNNING")]
    world.start(starts=[starts(), second], polls=polls, StopAfterMinutes=5)
    assert world.scheduled == ["test-stop-1", "test-stop-2"]


def test_an_own_start_that_is_over_leaves_no_auto_stop_in_the_result(world: World) -> None:
    polls = [finds("RUNNING"), finds("STOPPING"), finds("PENDING"), finds("RUNNING", **INTERFACE)]
    output = world.start(starts=[starts()], polls=polls, StopAfterMinutes=5, RequireNetworkInterface=True).output
    assert (output["Started"], output["AutoStop"]["Execution"]) == (False, None)


def test_a_start_whose_auto_stop_cannot_be_scheduled_at_running_either_fails(world: World) -> None:
    denied = service_error("StartExecution", "AccessDenied")
    execution = world.start(script={"StartExecution": [denied] * 14}, StopAfterMinutes=30)
    assert world.failure(execution) == ("AutoStopNotScheduled", "notify", 1)
    assert execution.cause["Message"] == (
        "The image builder is RUNNING, but its auto-stop could not be scheduled (StepFunctions.AccessDeniedException)."
    )
    assert execution.cause["Advice"].startswith("Stop the image builder when it is no longer needed")


# No failure of the start loses its auto-stop


@pytest.mark.parametrize(
    ("poll", "error"),
    [
        (finds("PENDING"), "ImageBuilderStartTimedOut"),
        (finds("RUNNING"), "ImageBuilderStartTimedOut"),
        (fails("ServiceUnavailableException"), "ImageBuilderStartTimedOut"),
        (fails("ResourceNotFoundException"), "ResourceNotFoundException"),
        (fails("KeyError"), "KeyError"),
    ],
)
@pytest.mark.parametrize("on_failure", [False, True])
@pytest.mark.parametrize("minutes", [{}, {"StopAfterMinutes": 30}])
def test_every_failure_that_the_workflow_routes_leaves_an_auto_stop(
    world: World, poll: Any, error: str, on_failure: bool, minutes: dict[str, Any]
) -> None:
    request = {"TimeoutMinutes": 5, "RequireNetworkInterface": True, "StopOnFailure": on_failure, **minutes}
    execution = world.start(starts=[starts()], polls=repeat(poll), **request)
    assert execution.error == error
    assert world.scheduled == ["test-stop-1"] * bool(minutes) + ["test-fail-1"] * on_failure
    message = execution.cause["Message"]
    if on_failure:
        assert json.loads(world.engine.started[-1]["Input"]) == {
            "Name": BUILDER,
            "StopAfterMinutes": 1,
            "TimeoutMinutes": 720,
            "SkipTag": "Skip_Stop",
            "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN,
        }
        assert f" The start goes on. An auto-stop stops the image builder: {stop_arn('test-fail-1')}" in message
        assert execution.cause["Advice"].endswith("To use the image builder after all, first stop that execution.")
    elif minutes:
        assert f" The start goes on; the auto-stop stops it: {stop_arn('test-stop-1')}" in message
    else:
        assert " The start goes on: it is billed until it is stopped." in message


@pytest.mark.parametrize(
    ("answer", "script"),
    [({"drop": "after"}, {}), ({"delay": 60}, {}), ({"delay": 0}, {START: [kills_after_its_work]})],
)
def test_a_start_whose_answer_was_lost_is_stopped(world: World, answer: dict[str, Any], script: Any) -> None:
    lost = {"operation": "StartImageBuilder", "times": 1, **answer}
    output = world.start(faults=[lost], script=script, StopAfterMinutes=30).output
    assert (output["Started"], output["AutoStop"]["Execution"]) == (False, stop_arn("test-stop-1"))
    assert (world.run_stop().output["Outcome"], world.stops, world.state) == ("Stopped", 1, "STOPPED")


def test_a_slow_answer_is_no_lost_one(world: World) -> None:
    execution = world.start(faults=[{"operation": "StartImageBuilder", "delay": 20, "times": 1}])
    assert execution.output["Started"] is True
    assert [call.operation for call in world.fake.calls].count("StartImageBuilder") == 1


# StopOnFailure


def test_a_start_that_is_late_is_stopped_a_minute_after_running(world: World) -> None:
    assert world.start(LATE, TimeoutMinutes=5, StopOnFailure=True).status == "FAILED"
    assert (world.run_stop().output["Outcome"], world.stops, world.state) == ("Stopped", 1, "STOPPED")


@pytest.mark.parametrize("last", ["FAILED", "DELETING", "STOPPED"])
def test_a_start_that_is_over_needs_no_stop(world: World, last: str) -> None:
    polls = [finds("PENDING"), *[finds(last)] * 9]
    execution = world.start(starts=[starts()] * 5, polls=polls, StopOnFailure=True)
    assert (execution.status, world.scheduled) == ("FAILED", [])


def test_a_start_by_somebody_else_is_left_alone(world: World) -> None:
    execution = world.start({"state": [["PENDING", 1_500], ["RUNNING", None]]}, TimeoutMinutes=5, StopOnFailure=True)
    assert execution.error == "ImageBuilderStartTimedOut"
    assert "goes on" not in execution.cause["Message"]
    assert world.scheduled == []


def test_a_stop_on_failure_that_cannot_be_scheduled_is_notified_with_what_had_failed(world: World) -> None:
    script = {"StartExecution": [UNAVAILABLE] * 7}
    execution = world.start(LATE, script=script, StopOnFailure=True, TimeoutMinutes=5)
    assert world.failure(execution) == ("AutoStopNotScheduled", "notify", 1)
    assert execution.cause["Message"] == (
        "The image builder is still PENDING after 5 minutes of waiting. The start goes on, and its auto-stop could not "
        "be scheduled (StepFunctions.InternalErrorExceptionException)."
    )
    assert execution.cause["Advice"].startswith("Stop the image builder")


# What an auto-stop does


@pytest.mark.parametrize("minutes", [1, 30])
def test_it_counts_its_minutes_from_the_poll_that_finds_running(world: World, minutes: int) -> None:
    began = world.clock.now()
    stop = world.stop({"state": [["STOPPED", 5], ["PENDING", 700], ["RUNNING", None]]}, StopAfterMinutes=minutes)
    (stopped,) = [call for call in world.fake.calls if call.operation == "StopImageBuilder"]
    assert 0 <= stopped.time - began - 705 - minutes * 60 <= 270
    assert (stop.output["Outcome"], world.topic.messages) == ("Stopped", [])


@pytest.mark.parametrize("first", ["STOPPED", "PENDING", "UPDATING_AGENT", "SYNCING_APPS"])
def test_it_waits_until_running_and_past_one_stale_stopped(world: World, first: str) -> None:
    stages = [[first, 15], ["PENDING", 900], ["UPDATING_AGENT", 300], ["RUNNING", None]]
    stop = world.stop({"state": stages}, StopAfterMinutes=5)
    assert (stop.output["Outcome"], world.stops, world.state) == ("Stopped", 1, "STOPPED")


@pytest.mark.parametrize(
    ("stages", "outcome"),
    [
        ([["PENDING", 100], ["STOPPED", None]], "LeftAlone"),
        ([["PENDING", 100], ["FAILED", None]], "LeftAlone"),
        ([["RUNNING", 600], ["SNAPSHOTTING", 900], ["STOPPED", None]], "LeftAlone"),
        ([["RUNNING", 600], ["PENDING", 300], ["RUNNING", None]], "LeftAlone"),
        ([["RUNNING", 600], ["STOPPING", 20], ["STOPPED", 5], ["PENDING", 300], ["RUNNING", None]], "LeftAlone"),
        ([["RUNNING", 600], ["REBOOTING", 300], ["PENDING", 200], ["RUNNING", None]], "Stopped"),
        ([["RUNNING", 1_790], ["UPDATING", 300], ["RUNNING", None]], "Stopped"),
        ([["RUNNING", 600], ["SNAPSHOTTING", 300], ["RUNNING", None]], "Stopped"),
        ([["RUNNING", 600], ["SOMETHING_NEW", 300], ["RUNNING", None]], "Stopped"),
    ],
)
def test_it_stops_the_start_that_it_was_scheduled_for_and_no_other(
    world: World, stages: list[list[Any]], outcome: str
) -> None:
    stop = world.stop({"state": stages}, StopAfterMinutes=30)
    assert (stop.status, stop.output["Outcome"], world.stops) == ("SUCCEEDED", outcome, int(outcome == "Stopped"))
    assert world.topic.messages == []


@pytest.mark.parametrize("begin", range(0, 260, 20))
def test_no_stop_and_start_of_five_minutes_goes_unseen(world: World, begin: int) -> None:
    world.after(480 + begin, lambda: world.fake.call("StopImageBuilder", {"Name": BUILDER}))
    world.after(490 + begin, lambda: world.fake.call("StartImageBuilder", {"Name": BUILDER}))
    builder = {"state": "RUNNING", "durations": {"stopping": 5, "pending": 300}}
    assert world.stop(builder, StopAfterMinutes=60).output["Outcome"] == "LeftAlone"


@pytest.mark.parametrize(
    ("operation", "moments"), [("DescribeImageBuilders", (700, 1_300)), ("ListTagsForResource", (700,))]
)
@pytest.mark.parametrize(
    "answer",
    [
        {"answer": {"ImageBuilders": [{"Name": BUILDER, "State": "PENDING"}]}},
        {"answer": {"ImageBuilders": [{"Name": BUILDER, "State": "STOPPED"}]}},
        {"error": {"code": "ResourceNotFoundException"}},
        {"error": {"code": "AccessDeniedException"}},
        {"error": {"code": "ExpiredTokenException"}},
    ],
)
def test_one_odd_answer_at_a_time_does_not_end_it(
    world: World, operation: str, moments: tuple[int, ...], answer: dict[str, Any]
) -> None:
    for seconds in moments:
        world.after(seconds, lambda: world.prepare(None, [{"operation": operation, "times": 1, **answer}]))
    stop = world.stop(StopAfterMinutes=30)
    assert (stop.status, stop.output["Outcome"], world.stops) == ("SUCCEEDED", "Stopped", 1)


def test_a_builder_that_is_gone_is_left_alone(world: World) -> None:
    world.after(600, lambda: world.fake.delete_builder(BUILDER))
    stop = world.stop(StopAfterMinutes=30)
    assert (stop.status, stop.output["Outcome"], world.topic.messages) == ("SUCCEEDED", "LeftAlone", [])


def test_an_outage_without_end_notifies_within_about_an_hour(world: World) -> None:
    world.after(600, lambda: world.prepare(None, [answers("DescribeImageBuilders", "InternalFailure")]))
    began = world.clock.now()
    stop = world.stop(StopAfterMinutes=10_080)
    assert world.failure(stop) == ("ImageBuilderStopTimedOut", "notify", 1)
    assert stop.cause["Message"].endswith("The last error was ServiceUnavailableException.")
    assert 600 + 3_000 < world.clock.now() - began < 600 + 3_900


@pytest.mark.parametrize(
    ("options", "suffix"),
    [({"StopAfterMinutes": 30}, "-stop-1"), ({"StopOnFailure": True, "TimeoutMinutes": 5}, "-fail-1")],
)
def test_names_hold_purpose_and_attempt_within_80_characters_and_never_collide(
    world: World, options: dict[str, Any], suffix: str
) -> None:
    for name in [f"{'patch-' * 12}-998", f"{'patch-' * 12}-999", f"{'n' * 79}1", f"{'n' * 79}2"]:
        world.prepare(LATE)
        world.engine.run({"Name": BUILDER, **options}, ARN.replace(":test", f":{name}"))
    assert len(set(world.scheduled)) == 4
    assert all(len(name) <= 80 and name.endswith(suffix) for name in world.scheduled)
