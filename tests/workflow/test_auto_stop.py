"""The auto-stop that a start schedules, and what it does: StopAfterMinutes and StopOnFailure."""

import json
from typing import Any

import pytest

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution
from tests.workflow.scripted import (
    add_fault,
    after,
    answers,
    fails,
    finds,
    jitter,
    pauses_of,
    refused,
    run,
    starts,
    state,
    stops,
)

MINUTE = 60
LATE = {"durations": {"pending": 1_500}}


def stop_arn(name: str) -> str:
    return f"arn:aws:states:us-east-1:000000000000:execution:StopImageBuilder:{name}"


def started(world: World, **options: Any) -> Execution:
    world.prepare({})
    return world.run({"Name": BUILDER, "StopAfterMinutes": 30, **options})


def stop_and_start(world: World, at: float, again: float) -> None:
    after(world, at, lambda: world.fake.call("StopImageBuilder", {"Name": BUILDER}))
    after(world, again, lambda: world.fake.call("StartImageBuilder", {"Name": BUILDER}))


# Scheduling


def test_an_auto_stop_is_scheduled_as_soon_as_the_start_is_accepted(world: World) -> None:
    execution = started(world)
    assert execution.states[3:6] == ["Evaluate builder state", "Schedule auto-stop", "Evaluate builder state"]
    (scheduled,) = world.engine.started
    assert scheduled["StateMachineArn"].endswith(":stateMachine:StopImageBuilder:live")
    assert scheduled["Name"] == "test-stop-1"
    assert json.loads(scheduled["Input"]) == {
        "Name": BUILDER,
        "StopAfterMinutes": 30,
        "SkipTag": "Skip_Stop",
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN,
    }
    assert execution.output["AutoStop"] == {
        "Execution": stop_arn("test-stop-1"),
        "Why": "It stops the image builder 30 minutes after it is RUNNING.",
    }


def test_without_the_option_there_is_no_auto_stop(world: World) -> None:
    world.prepare({})
    assert "AutoStop" not in world.run({"Name": BUILDER, "StopOnFailure": True}).output
    assert world.engine.started == []


@pytest.mark.parametrize("builder", [{"state": "RUNNING"}, {"state": [["PENDING", 200], ["RUNNING", None]]}])
def test_a_start_by_somebody_else_gets_no_auto_stop_and_the_result_says_so(world: World, builder: Any) -> None:
    world.prepare(builder)
    execution = world.run({"Name": BUILDER, "StopAfterMinutes": 30, "NotifyOnSuccess": True})
    why = "This execution is not known to have started the image builder, and schedules no auto-stop."
    assert execution.output["AutoStop"] == {"Execution": None, "Why": why}
    assert world.engine.started == []
    assert why in world.topic.messages[0]["Message"]


def test_each_attempt_has_an_auto_stop_of_its_own(world: World) -> None:
    run(
        world,
        {"StopAfterMinutes": 5},
        start_image_builder=[starts(), starts()],
        describe_image_builder=[finds("STOPPED"), finds("RUNNING")],
    )
    assert [each["Name"] for each in world.engine.started] == ["test-stop-1", "test-stop-2"]


def test_an_own_start_that_is_over_leaves_no_auto_stop_in_the_result(world: World) -> None:
    polls = [finds("RUNNING"), finds("STOPPING"), finds("PENDING"), finds("RUNNING", **INTERFACE)]
    request = {"StopAfterMinutes": 5, "RequireNetworkInterface": True}
    execution = run(world, request, start_image_builder=[starts()], describe_image_builder=polls)
    assert (execution.output["Started"], execution.output["AutoStop"]["Execution"]) == (False, None)


INTERFACE = {"NetworkAccessConfiguration": {"EniPrivateIpAddress": "10.0.0.4"}}


@pytest.mark.parametrize("options", [{"StopAfterMinutes": 30}, {"StopOnFailure": True, "TimeoutMinutes": 5}])
def test_names_hold_purpose_and_attempt_within_80_characters_and_never_collide(
    world: World, options: dict[str, Any]
) -> None:
    names = [f"{'patch-' * 12}-{index}" for index in (998, 999)] + [f"{'n' * 79}{index}" for index in (1, 2)]
    for name in names:
        world.engine.arn = ARN.replace(":test", f":{name}")
        world.prepare(LATE)
        world.run({"Name": BUILDER, **options})
    scheduled = [each["Name"] for each in world.engine.started]
    assert len(set(scheduled)) == 4
    suffix = "-fail-1" if "StopOnFailure" in options else "-stop-1"
    assert all(len(name) <= 80 and name.endswith(suffix) for name in scheduled)


def test_scheduling_is_retried_under_the_same_name(world: World) -> None:
    world.engine.start_errors = [refused("StartExecution")] * 6
    pauses = pauses_of(world)
    with jitter(0.5):
        assert started(world).status == "SUCCEEDED"
    assert pauses[:6] == [2.5, 5, 10, 20, 30, 30]
    assert [each["Name"] for each in world.engine.started] == ["test-stop-1"]


def test_an_auto_stop_that_cannot_be_scheduled_is_tried_again_at_running(world: World) -> None:
    world.engine.start_errors = [refused("StartExecution")] * 7
    execution = started(world)
    assert execution.output["AutoStop"]["Execution"] == stop_arn("test-stop-1")
    assert execution.states[-4:] == [
        "Schedule auto-stop",
        "Evaluate builder state",
        "Publish running event",
        "Return result",
    ]


def test_then_the_start_fails_and_the_operators_are_notified(world: World) -> None:
    world.engine.start_errors = [refused("StartExecution", "AccessDenied")] * 14
    execution = started(world)
    assert (execution.error, execution.cause["Route"]) == ("AutoStopNotScheduled", "notify")
    assert execution.cause["Message"] == (
        "The image builder is RUNNING, but its auto-stop could not be scheduled (StepFunctions.AccessDeniedException)."
    )
    assert execution.cause["Advice"].startswith("Stop the image builder when it is no longer needed")
    assert len(world.topic.messages) == 1


# No way of ending the start loses its auto-stop


@pytest.mark.parametrize(
    ("polls", "timeout", "error"),
    [
        ([finds("PENDING")] * 20, 5, "ImageBuilderStartTimedOut"),
        ([finds("RUNNING")] * 20, 5, "ImageBuilderStartTimedOut"),
        ([fails("ResourceNotFoundException")] * 2, 60, "ResourceNotFoundException"),
        ([fails("AccessDeniedException")] * 2, 60, "AccessDeniedException"),
        ([fails("ServiceUnavailableException")] * 20, 5, "ImageBuilderStartTimedOut"),
    ],
)
@pytest.mark.parametrize("both", [False, True])
def test_a_start_that_gives_up_leaves_its_auto_stop(
    world: World, polls: Any, timeout: int, error: str, both: bool
) -> None:
    request = {"StopAfterMinutes": 30, "TimeoutMinutes": timeout, "RequireNetworkInterface": True}
    execution = run(
        world, request | {"StopOnFailure": both}, start_image_builder=[starts()], describe_image_builder=polls
    )
    assert execution.error == error
    names = [each["Name"] for each in world.engine.started]
    assert names == ["test-stop-1", *(["test-fail-1"] if both else [])]
    assert stop_arn(names[-1]) in execution.cause["Message"]


@pytest.mark.parametrize(
    "answer", [{"drop": "after"}, {"delay": 60}, {"error": {"code": "InternalFailure"}, "after": True}]
)
def test_a_start_whose_answer_was_lost_is_stopped(world: World, answer: dict[str, Any]) -> None:
    lost = {"operation": "StartImageBuilder", "times": 1, **answer}
    if lost.pop("after", False):
        lost.pop("error")
        lost["drop"] = "after"
    world.prepare({}, [lost])
    execution = world.run({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (execution.output["Started"], execution.output["AutoStop"]["Execution"]) == (False, stop_arn("test-stop-1"))
    assert (world.run_stop().output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")


def test_a_slow_answer_is_no_lost_one(world: World) -> None:
    world.prepare({}, [{"operation": "StartImageBuilder", "delay": 20, "times": 1}])
    execution = world.run({"Name": BUILDER})
    assert execution.output["Started"] is True
    assert [call.operation for call in world.fake.calls].count("StartImageBuilder") == 1


# StopOnFailure


@pytest.mark.parametrize(
    ("polls", "timeout", "error"),
    [
        ([finds("PENDING")] * 20, 5, "ImageBuilderStartTimedOut"),
        ([fails("ResourceNotFoundException")] * 2, 60, "ResourceNotFoundException"),
        ([fails("KeyError")] * 2, 60, "KeyError"),
        ([fails("States.Timeout")] * 20, 5, "ImageBuilderStartTimedOut"),
    ],
)
def test_stop_on_failure_covers_every_failure_that_the_workflow_routes(
    world: World, polls: Any, timeout: int, error: str
) -> None:
    request = {"StopOnFailure": True, "TimeoutMinutes": timeout}
    execution = run(world, request, start_image_builder=[starts()], describe_image_builder=polls)
    assert execution.error == error
    (scheduled,) = world.engine.started
    assert scheduled["Name"] == "test-fail-1"
    assert json.loads(scheduled["Input"]) == {
        "Name": BUILDER,
        "StopAfterMinutes": 1,
        "TimeoutMinutes": 720,
        "SkipTag": "Skip_Stop",
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN,
    }
    assert "The start goes on. An auto-stop stops the image builder: " in execution.cause["Message"]
    assert execution.cause["Advice"].endswith("To use the image builder after all, first stop that execution.")


def test_a_start_that_is_late_is_stopped_a_minute_after_running(world: World) -> None:
    world.prepare(LATE)
    assert world.run({"Name": BUILDER, "TimeoutMinutes": 5, "StopOnFailure": True}).status == "FAILED"
    assert (world.run_stop().output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")


@pytest.mark.parametrize("last", ["FAILED", "DELETING", "STOPPED"])
def test_a_start_that_is_over_needs_no_stop(world: World, last: str) -> None:
    polls = [finds("PENDING"), *[finds(last)] * 9]
    execution = run(
        world,
        {"StopOnFailure": True},
        start_image_builder=[starts()] * 5,
        describe_image_builder=polls,
    )
    assert (execution.status, world.engine.started) == ("FAILED", [])


def test_a_start_by_somebody_else_is_left_alone(world: World) -> None:
    world.prepare({"state": [["PENDING", 1_500], ["RUNNING", None]]})
    execution = world.run({"Name": BUILDER, "TimeoutMinutes": 5, "StopOnFailure": True})
    assert execution.error == "ImageBuilderStartTimedOut"
    assert "goes on" not in execution.cause["Message"]
    assert world.engine.started == []


def test_a_stop_on_failure_that_cannot_be_scheduled_is_notified_with_what_had_failed(world: World) -> None:
    world.prepare(LATE)
    world.engine.start_errors = [refused("StartExecution")] * 7
    execution = world.run({"Name": BUILDER, "StopOnFailure": True, "TimeoutMinutes": 5})
    assert (execution.error, execution.cause["Route"]) == ("AutoStopNotScheduled", "notify")
    assert execution.cause["Message"] == (
        "The image builder is still PENDING after 5 minutes of waiting. The start goes on, and its auto-stop could not "
        "be scheduled (StepFunctions.InternalErrorExceptionException)."
    )
    assert len(world.topic.messages) == 1


# What an auto-stop does


@pytest.mark.parametrize("minutes", [1, 5, 30, 10_080])
def test_it_counts_its_minutes_from_the_poll_that_finds_running(world: World, minutes: int) -> None:
    world.prepare({"state": [["STOPPED", 5], ["PENDING", 700], ["RUNNING", None]]})
    began = world.clock.now()
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": minutes})
    (stopped,) = [call for call in world.fake.calls if call.operation == "StopImageBuilder"]
    lag = stopped.time - began - 705 - minutes * MINUTE
    assert 0 <= lag <= 270
    assert stop.output["Outcome"] == "Stopped"
    assert world.topic.messages == []


@pytest.mark.parametrize("first", ["STOPPED", "PENDING", "UPDATING_AGENT", "SYNCING_APPS"])
def test_it_waits_until_running_and_past_one_stale_stopped(world: World, first: str) -> None:
    world.prepare({"state": [[first, 15], ["PENDING", 900], ["UPDATING_AGENT", 300], ["RUNNING", None]]})
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 5})
    assert (stop.output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")


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
    world.prepare({"state": stages})
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (stop.status, stop.output["Outcome"], stops(world)) == ("SUCCEEDED", outcome, int(outcome == "Stopped"))
    assert world.topic.messages == []


@pytest.mark.parametrize("begin", range(0, 260, 20))
def test_no_stop_and_start_of_five_minutes_goes_unseen(world: World, begin: int) -> None:
    world.fake.put_builder(BUILDER, state="RUNNING", durations={"stopping": 5, "pending": 300})
    stop_and_start(world, 480 + begin, 490 + begin)
    assert world.run_stop({"Name": BUILDER, "StopAfterMinutes": 60}).output["Outcome"] == "LeftAlone"


STALE: dict[str, dict[str, Any]] = {
    "pending": {"answer": {"ImageBuilders": [{"Name": BUILDER, "State": "PENDING"}]}},
    "stopped": {"answer": {"ImageBuilders": [{"Name": BUILDER, "State": "STOPPED"}]}},
    "gone": {"error": {"code": "ResourceNotFoundException"}},
    "denied": {"error": {"code": "AccessDeniedException"}},
    "expired": {"error": {"code": "ExpiredTokenException"}},
}


@pytest.mark.parametrize(
    ("operation", "answer"),
    [
        *(("DescribeImageBuilders", answer) for answer in STALE),
        *(("ListTagsForResource", answer) for answer in STALE if "error" in STALE[answer]),
    ],
)
def test_one_odd_answer_does_not_end_it(world: World, operation: str, answer: str) -> None:
    world.prepare({"state": "RUNNING"})
    fault = {"operation": operation, "times": 1, **STALE[answer]}
    after(world, 700, lambda: add_fault(world, fault))
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (stop.status, stop.output["Outcome"], stops(world)) == ("SUCCEEDED", "Stopped", 1)


def test_a_builder_that_is_gone_is_left_alone(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    after(world, 600, lambda: world.fake.delete_builder(BUILDER))
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (stop.status, stop.output["Outcome"], world.topic.messages) == ("SUCCEEDED", "LeftAlone", [])


def test_it_obeys_the_tag_that_the_request_names(world: World) -> None:
    world.prepare({"tags": {"Keep": ""}})
    world.run({"Name": BUILDER, "StopAfterMinutes": 30, "SkipTag": "Keep"})
    assert world.run_stop().output["Outcome"] == "Skipped"


def test_an_outage_of_fifty_minutes_does_not_end_it(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    after(world, 600, lambda: add_fault(world, answers("DescribeImageBuilders", "InternalFailure", 24)))
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 600})
    assert (stop.status, stop.output["Outcome"]) == ("SUCCEEDED", "Stopped")


def test_an_outage_without_end_notifies_within_about_an_hour(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    after(world, 600, lambda: add_fault(world, answers("DescribeImageBuilders", "InternalFailure")))
    began = world.clock.now()
    stop = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 10_080})
    assert (stop.error, len(world.topic.messages)) == ("ImageBuilderStopTimedOut", 1)
    assert stop.cause["Message"].endswith("The last error was ServiceUnavailableException.")
    assert 600 + 3_000 < world.clock.now() - began < 600 + 3_900
