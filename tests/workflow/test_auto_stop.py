"""The guard that a start leaves, and what becomes of it: StopAfterMinutes and StopOnFailure."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN
from tests.workflow.test_branches import jitter, refused, waits_of
from tests.workflow.test_stop import MINUTE, add_fault, answers, guarded, meanwhile, state, stops

GUARD = ARN.replace(":StartImageBuilder:", ":StopImageBuilder:")
DECIDE = "Evaluate builder state"


def test_a_start_leaves_a_guard_that_stops_it_on_time(world: World) -> None:
    start = guarded(world)
    assert start.output["AutoStop"]["Execution"].endswith(":execution:StopImageBuilder:test")
    began = world.clock.now()
    guard = world.run_stop()
    assert (guard.output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")
    (stopped,) = [call for call in world.double.calls if call.operation == "StopImageBuilder"]
    assert stopped.time - began == 30 * MINUTE
    assert world.topic.messages == []


def test_the_guard_minds_the_tag_that_the_request_names(world: World) -> None:
    world.prepare({"tags": {"Keep": ""}})
    start = world.run({"Name": BUILDER, "StopAfterMinutes": 30, "SkipTag": "Keep"})
    assert start.output["AutoStop"]["Why"].endswith("or carries the tag Keep.")
    assert world.run_stop().output["Outcome"] == "Skipped"


def test_what_is_left_for_a_builder_that_runs(world: World) -> None:
    start = guarded(world)
    (left,) = world.engine.started
    assert left["StateMachineArn"].endswith(":stateMachine:StopImageBuilder:live")
    assert json.loads(left["Input"]) == {
        "Name": BUILDER,
        "StopAfterMinutes": 30,
        "SkipTag": "Skip_Stop",
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN,
    }
    assert start.output["AutoStop"]["Why"] == (
        "It stops the image builder after 30 minutes, unless it is stopped or started by somebody else before, "
        "or carries the tag Skip_Stop."
    )
    assert start.states[-5:] == [
        DECIDE,
        "Schedule auto-stop",
        DECIDE,
        "Publish running event",
        "Return result",
    ]


def test_what_is_left_for_a_start_that_is_late(world: World) -> None:
    world.prepare({"durations": {"pending": 1_500}})
    start = world.run({"Name": BUILDER, "TimeoutMinutes": 5, "StopOnFailure": True, "StopAfterMinutes": 30})
    (left,) = world.engine.started
    # At once when it comes up: nobody waits for it any more.
    assert json.loads(left["Input"]) == {
        "Name": BUILDER,
        "TimeoutMinutes": 720,
        "SkipTag": "Skip_Stop",
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN,
    }
    assert start.states[-7:] == [
        DECIDE,
        "Check stop on failure",
        "Schedule stop on failure",
        "Build cause",
        "Publish failure event",
        "Notify operators",
        "Fail execution",
    ]


def test_no_guard_is_left_before_the_deadline(world: World) -> None:
    world.prepare({})
    assert world.run({"Name": BUILDER, "StopOnFailure": True}).status == "SUCCEEDED"
    assert world.engine.started == []


@pytest.mark.parametrize("options", [{"StopAfterMinutes": 30}, {"StopOnFailure": True, "TimeoutMinutes": 5}])
def test_two_executions_whose_long_names_begin_alike_leave_a_guard_each(world: World, options: dict[str, Any]) -> None:
    # 80 characters at most. Source: Step Functions API reference, StartExecution, name.
    for number in ("1", "2"):
        world.engine.arn = ARN.replace(":test", f":{'patch-' * 13}-{number}")
        world.prepare({"durations": {"pending": 600}})
        world.run({"Name": BUILDER, **options})
    assert [left["Name"][-2:] for left in world.engine.started] == ["-1", "-2"]


@pytest.mark.parametrize("options", [{"StopAfterMinutes": 30}, {"StopOnFailure": True, "TimeoutMinutes": 5}])
@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_the_pauses_before_a_guard_is_tried_again(world: World, share: float, options: dict[str, Any]) -> None:
    world.prepare({"durations": {"pending": 290 if "StopAfterMinutes" in options else 1_500}})
    world.engine.start_errors = [refused("StartExecution")] * 6
    waits = waits_of(world)
    with jitter(share):
        world.run({"Name": BUILDER, **options})
    assert waits[-6:] == [share * seconds for seconds in (5, 10, 20, 40, 60, 60)]
    assert len(world.engine.started) == 1


def test_a_builder_that_ran_already_gets_no_guard_and_the_result_says_so(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    start = world.run({"Name": BUILDER, "StopAfterMinutes": 30})
    assert start.output["AutoStop"]["Execution"] is None
    assert "not known to have started" in start.output["AutoStop"]["Why"]
    assert world.engine.started == []


def test_a_start_is_still_this_ones_after_trouble_on_the_way(world: World) -> None:
    trouble = {"operation": "DescribeImageBuilders", "error": {"code": "ConcurrentModificationException"}, "times": 1}
    world.prepare({}, [{**trouble, "skip": 1}])
    start = world.run({"Name": BUILDER, "StopAfterMinutes": 30})
    assert start.output["Started"] is True
    assert start.output["AutoStop"]["Execution"]


def test_without_the_option_there_is_no_guard(world: World) -> None:
    world.prepare({})
    assert "AutoStop" not in world.run({"Name": BUILDER}).output
    assert world.engine.started == []


def test_a_guard_that_cannot_be_left_is_told_and_the_start_fails(world: World) -> None:
    error: Any = {"Error": {"Code": "AccessDenied", "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    error["ResponseMetadata"]["RequestId"] = "1"
    world.engine.start_errors = [ClientError(error, "StartExecution")] * 7
    start = guarded(world)
    assert (start.error, start.cause["Route"]) == ("AutoStopNotScheduled", "notify")
    assert start.cause["Message"] == (
        "The image builder is RUNNING, and nothing will stop it: "
        "the guard could not be started (StepFunctions.AccessDeniedException)."
    )
    assert start.cause["Advice"].startswith("Stop image builder by hand when it is no longer needed")
    (message,) = world.topic.messages
    assert message["Subject"].startswith(f"Image builder {BUILDER} has no guard")


def test_leaving_a_guard_is_tried_again_under_the_same_name(world: World) -> None:
    error: Any = {"Error": {"Code": "Throttling", "Message": "No."}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    error["ResponseMetadata"]["RequestId"] = "1"
    world.engine.start_errors = [ClientError(error, "StartExecution")] * 6
    assert guarded(world).status == "SUCCEEDED"
    (left,) = world.engine.started
    assert left["Name"] == "test"
    assert left["StateMachineArn"].endswith(":stateMachine:StopImageBuilder:live")


def test_a_success_is_told_with_a_guard_too(world: World) -> None:
    start = guarded(world, NotifyOnSuccess=True)
    assert start.output["AutoStop"]["Execution"]
    assert len(world.topic.messages) == 1


def test_a_start_that_comes_up_after_its_deadline_is_stopped(world: World) -> None:
    world.prepare({"durations": {"pending": 1_500}})
    start = world.run({"Name": BUILDER, "TimeoutMinutes": 5, "StopOnFailure": True})
    assert start.error == "ImageBuilderStartTimedOut"
    assert "A guard stops it when it comes up" in start.cause["Message"]
    guard = world.run_stop()
    assert (guard.output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")


@pytest.mark.parametrize(
    ("builder", "options"),
    [
        ({"durations": {"pending": 1_500}}, {}),
        ({"state": [["PENDING", 1_500], ["RUNNING", None]]}, {"StopOnFailure": True}),
    ],
    ids=["not-wanted", "not-its-start"],
)
def test_a_late_start_is_left_alone_otherwise(world: World, builder: dict[str, Any], options: dict[str, Any]) -> None:
    world.prepare(builder)
    start = world.run({"Name": BUILDER, "TimeoutMinutes": 5, **options})
    assert start.error == "ImageBuilderStartTimedOut"
    assert "guard" not in start.cause["Message"]
    assert world.engine.started == []


def test_a_late_start_that_fails_leaves_nothing_to_stop(world: World) -> None:
    world.prepare({"next_start": [["PENDING", 1_500], ["FAILED", None]]})
    world.run({"Name": BUILDER, "TimeoutMinutes": 5, "StopOnFailure": True})
    guard = world.run_stop()
    assert (guard.status, guard.output["Outcome"]) == ("SUCCEEDED", "LeftAlone")


def test_a_start_that_breaks_off_on_the_way_is_stopped_when_it_comes_up(world: World) -> None:
    world.prepare({"durations": {"pending": 1_500}})
    meanwhile(world, 100, lambda: add_fault(world, answers("DescribeImageBuilders", "InternalFailure", 15)))
    start = world.run({"Name": BUILDER, "StopOnFailure": True})
    assert start.error == "InternalFailure"
    assert start.cause["Message"].endswith(f"A guard stops it when it comes up: {GUARD}")
    assert "put the tag Skip_Stop on the image builder" in start.cause["Advice"]
    assert (world.run_stop().output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")


@pytest.mark.parametrize("state", ["FAILED", "DELETING"])
def test_what_will_not_run_gets_no_guard(world: World, state: str) -> None:
    world.prepare({"next_start": [["PENDING", 200], [state, None]]})
    assert world.run({"Name": BUILDER, "StopOnFailure": True}).status == "FAILED"
    assert world.engine.started == []


def test_a_guard_for_a_late_start_that_cannot_be_left_is_told_with_what_had_failed(world: World) -> None:
    world.prepare({"durations": {"pending": 1_500}})
    world.engine.start_errors = [refused("StartExecution")] * 7
    start = world.run({"Name": BUILDER, "StopOnFailure": True, "TimeoutMinutes": 5})
    assert (start.error, start.cause["Route"]) == ("AutoStopNotScheduled", "notify")
    assert start.cause["Message"] == (
        "The image builder is still PENDING after 5 minutes of waiting. When it comes up, nothing will stop it: "
        "the guard could not be started (StepFunctions.InternalErrorExceptionException)."
    )
    assert start.cause["Advice"].startswith("Stop image builder by hand when it is RUNNING")
    assert len(world.topic.messages) == 1


def test_what_somebody_else_has_started_since_it_stopped_again_is_not_this_executions(world: World) -> None:
    world.prepare({"next_start": [["PENDING", 30], ["STOPPED", None]]})
    # Between the look that finds it STOPPED and the start after that.
    answered = world.engine.handlers["start_image_builder"]
    calls = 0

    def start_image_builder(event: Any, context: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 2:
            world.double.call("StartImageBuilder", {"Name": BUILDER})
        return answered(event, context)

    world.engine.handlers["start_image_builder"] = start_image_builder
    start = world.run({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (start.output["Started"], start.output["AutoStop"]["Execution"]) == (False, None)
    assert world.engine.started == []


def test_a_success_without_the_guard_that_was_asked_for_says_so_to_the_operators(world: World) -> None:
    world.prepare({"state": "RUNNING"})
    world.run({"Name": BUILDER, "StopAfterMinutes": 30, "NotifyOnSuccess": True})
    (message,) = world.topic.messages
    assert "No guard was left" in message["Message"]


def test_an_image_builder_that_is_gone_gets_no_guard(world: World) -> None:
    world.prepare({"durations": {"pending": 1_500}})
    meanwhile(world, 100, lambda: world.double.delete_builder(BUILDER))
    start = world.run({"Name": BUILDER, "StopOnFailure": True})
    assert (start.error, world.engine.started) == ("ResourceNotFoundException", [])


@pytest.mark.parametrize("options", [{"StopAfterMinutes": 30}, {"StopOnFailure": True, "TimeoutMinutes": 5}])
@pytest.mark.parametrize("when", [None, 0, 100])
def test_a_start_before_a_redrive_gets_no_guard_and_one_after_it_does(
    world: World, when: int | None, options: dict[str, Any]
) -> None:
    # It goes on after days, in which somebody else may have stopped and started the image builder.
    world.prepare({"durations": {"pending": 280 if "StopAfterMinutes" in options else 1_500}})
    if when == 0:
        world.engine.redriven = True
    elif when:
        meanwhile(world, when, world.engine.redrive)
    world.run({"Name": BUILDER, **options})
    assert len(world.engine.started) == (0 if when == 100 else 1)
