"""The workflow that stops, by itself and as the guard that a start leaves."""

import json
from typing import Any

import pytest

from local.fake_appstream.faults import Fault
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Invocation, function_error

STOP = {"Name": BUILDER}
MINUTE = 60


def stops(world: World) -> int:
    """How many StopImageBuilder calls took effect."""
    return sum(call.effective for call in world.double.calls if call.operation == "StopImageBuilder")


def state(world: World) -> str:
    found: str = world.double.builder(BUILDER)["State"]
    return found


def answers(operation: str, code: str, times: int | None = None) -> dict[str, Any]:
    return {"operation": operation, "error": {"code": code, "message": f"{code} is the trouble."}, "times": times}


def meanwhile(world: World, seconds: float, deed: Any) -> None:
    """Have something happen once so much time has passed."""
    moment, advance = world.clock.now() + seconds, world.engine.sleep

    def sleep(pause: float) -> None:
        nonlocal moment
        if world.clock.now() + pause >= moment:
            before = moment - world.clock.now()
            moment = float("inf")
            advance(before)
            deed()
            advance(pause - before)
        else:
            advance(pause)

    world.engine.sleep = sleep


# At once


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
    run = world.run_stop(STOP)
    assert (run.status, run.output["Outcome"], stops(world)) == ("SUCCEEDED", outcome, calls), run.cause
    assert set(run.output) == {"Outcome", "Why", "ImageBuilder", "WaitedSeconds"}
    assert run.output["Why"]
    assert outcome == "LeftAlone" or state(world) == "STOPPED"
    assert world.topic.messages == []


def test_a_stop_that_does_not_come_about_is_told(world: World) -> None:
    world.prepare({"state": "PENDING"})
    began = world.clock.now()
    run = world.run_stop({"Name": BUILDER, "TimeoutMinutes": 5})
    assert (run.error, run.cause["Aim"], run.cause["OperatorsNotified"]) == ("ImageBuilderStopTimedOut", "stop", True)
    assert "still PENDING 5 minutes after it was to be stopped" in run.cause["Message"]
    assert world.clock.now() - began == 5 * MINUTE
    (message,) = world.topic.messages
    assert message["Subject"] == f"Image builder {BUILDER} was not stopped: ImageBuilderStopTimedOut"


def test_a_builder_that_appstream_goes_on_calling_running_is_stopped_once(world: World) -> None:
    world.prepare({"state": "RUNNING"}, [{"operation": "StopImageBuilder", "answer": {"ImageBuilder": None}}])
    assert world.run_stop(STOP).output["Outcome"] == "Stopped"
    assert [call.operation for call in world.double.calls].count("StopImageBuilder") == 1


@pytest.mark.parametrize("code", ["ConcurrentModificationException", "OperationNotPermittedException", "SomethingNew"])
def test_passing_trouble_is_waited_out(world: World, code: str) -> None:
    world.prepare({"state": "RUNNING"}, [answers("StopImageBuilder", code, 3)])
    run = world.run_stop(STOP)
    assert (run.status, stops(world), run.output["Outcome"]) == ("SUCCEEDED", 1, "Stopped")


@pytest.mark.parametrize(
    ("operation", "code", "route"),
    [
        ("StopImageBuilder", "AccessDeniedException", "notify"),
        ("ListTagsForResource", "AccessDeniedException", "notify"),
        ("DescribeImageBuilders", "AccessDeniedException", "notify"),
        ("DescribeImageBuilders", "ThrottlingException", "notify"),
        ("StopImageBuilder", "InvalidAccountStatusException", "notify"),
        ("StopImageBuilder", "InvalidParameterCombinationException", "fail"),
    ],
)
def test_trouble_that_stays_is_told(world: World, operation: str, code: str, route: str) -> None:
    world.prepare({"state": "RUNNING"}, [answers(operation, code)])
    run = world.run_stop(STOP)
    assert (run.error, run.cause["Route"], run.cause["Name"]) == (code, route, BUILDER)
    assert (stops(world), len(world.topic.messages)) == (0, 1)


def test_trouble_until_the_deadline_is_named(world: World) -> None:
    world.prepare({"state": "RUNNING"}, [answers("StopImageBuilder", "ConcurrentModificationException")])
    run = world.run_stop(STOP)
    assert run.error == "ImageBuilderStopTimedOut"
    assert run.cause["Message"].endswith("The last error on the way was ConcurrentModificationException.")
    assert (stops(world), len(world.topic.messages)) == (0, 1)


def test_a_stop_of_no_builder_fails(world: World) -> None:
    run = world.run_stop(STOP)
    assert (run.error, run.cause["Route"], len(world.topic.messages)) == ("ResourceNotFoundException", "fail", 1)


@pytest.mark.parametrize("execution_input", [{}, {"Name": ""}, {"Name": BUILDER, "DryRun": True}, [], None, "x"])
def test_a_refused_request_reaches_no_call(world: World, execution_input: Any) -> None:
    run = world.run_stop({"Name": 7} if execution_input is None else execution_input)
    assert (run.error, run.cause["Route"]) == ("InvalidRequest", "fail")
    assert world.double.calls == []


def test_a_lost_answer_leads_to_one_stop(world: World) -> None:
    world.prepare({"state": "RUNNING"}, [{"operation": "StopImageBuilder", "drop": "after", "times": 1}])
    run = world.run_stop(STOP)
    assert (run.status, stops(world), state(world)) == ("SUCCEEDED", 1, "STOPPED")


# A tag


@pytest.mark.parametrize(("request_", "tag"), [(STOP, "Skip_Stop"), ({**STOP, "SkipTag": "Keep"}, "Keep")])
def test_a_tag_forbids_the_stop(world: World, request_: dict[str, Any], tag: str) -> None:
    world.prepare({"state": "RUNNING", "tags": {tag: ""}})
    run = world.run_stop(request_)
    assert (run.output["Outcome"], run.output["Why"]) == ("Skipped", f"It carries the tag {tag}.")
    assert (stops(world), state(world)) == (0, "RUNNING")


def test_another_tag_does_not(world: World) -> None:
    world.prepare({"state": "RUNNING", "tags": {"skip_stop": "1", "Owner": "Skip_Stop"}})
    assert world.run_stop(STOP).output["Outcome"] == "Stopped"


# As a guard


def guarded(world: World, **options: Any) -> Execution:
    world.prepare({})
    return world.run({"Name": BUILDER, "StopAfterMinutes": 30, **options})


@pytest.mark.parametrize("minutes", [1, 4, 5, 10_080])
def test_the_stop_is_on_time_to_the_second_and_within_the_history(world: World, minutes: int) -> None:
    world.prepare({"state": "RUNNING"})
    began = world.clock.now()
    guard = world.run_stop({"Name": BUILDER, "StopAfterMinutes": minutes})
    (stopped,) = [call for call in world.double.calls if call.operation == "StopImageBuilder"]
    assert stopped.time - began == minutes * MINUTE
    # 25,000 events at most. Source: Step Functions developer guide, Quotas.
    assert len(guard.history) < 24_000


def test_what_somebody_else_started_since_is_left_alone(world: World) -> None:
    guarded(world)

    def stop_and_start() -> None:
        world.double.call("StopImageBuilder", {"Name": BUILDER})

    meanwhile(world, 600, stop_and_start)
    meanwhile(world, 800, lambda: world.double.call("StartImageBuilder", {"Name": BUILDER}))
    guard = world.run_stop()
    assert guard.output["Outcome"] == "LeftAlone"
    assert "left alone" in guard.output["Why"]
    assert stops(world) == 1, "the other's own"
    world.engine.sleep(3_600)
    assert state(world) == "RUNNING"


@pytest.mark.parametrize("begin", range(0, 240, 20))
def test_no_stop_and_start_goes_unseen_between_two_looks(world: World, begin: int) -> None:
    world.double.put_builder(BUILDER, state="RUNNING", durations={"stopping": 5, "pending": 240})
    meanwhile(world, 480 + begin, lambda: world.double.call("StopImageBuilder", {"Name": BUILDER}))
    meanwhile(world, 490 + begin, lambda: world.double.call("StartImageBuilder", {"Name": BUILDER}))
    guard = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 60})
    assert guard.output["Outcome"] == "LeftAlone"


@pytest.mark.parametrize("passing", ["REBOOTING", "UPDATING", "SNAPSHOTTING", "SYNCING_APPS", "SOMETHING_NEW"])
@pytest.mark.parametrize("begin", [600, 1_790])
def test_what_is_no_stop_and_no_start_is_waited_out(world: World, passing: str, begin: int) -> None:
    world.prepare({"state": [["RUNNING", begin], [passing, 300], ["RUNNING", None]]})
    guard = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (guard.output["Outcome"], stops(world), state(world)) == ("Stopped", 1, "STOPPED")


def test_an_image_builder_that_an_image_was_made_from_is_left_alone(world: World) -> None:
    world.prepare({"state": [["RUNNING", 600], ["SNAPSHOTTING", 900], ["STOPPED", None]]})
    guard = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 30})
    assert (guard.output["Outcome"], stops(world)) == ("LeftAlone", 0)


@pytest.mark.parametrize("begin", range(0, 60, 10))
def test_what_somebody_starts_as_soon_as_it_is_stopped_is_not_waited_for(world: World, begin: int) -> None:
    world.prepare({"state": "RUNNING", "durations": {"stopping": 100}})
    meanwhile(world, 101 + begin, lambda: world.double.call("StartImageBuilder", {"Name": BUILDER}))
    run = world.run_stop(STOP)
    assert (run.status, run.output["Outcome"], stops(world)) == ("SUCCEEDED", "Stopped", 1)
    assert world.topic.messages == []


def test_a_stop_and_start_during_one_failed_look_does_not_go_unseen(world: World) -> None:
    guarded(world, StopAfterMinutes=60)
    # boto3 tries three times, and the task five.
    meanwhile(world, 450, lambda: add_fault(world, answers("DescribeImageBuilders", "ThrottlingException", 15)))
    meanwhile(world, 490, lambda: world.double.call("StopImageBuilder", {"Name": BUILDER}))
    meanwhile(world, 680, lambda: world.double.call("StartImageBuilder", {"Name": BUILDER}))
    assert world.run_stop().output["Outcome"] == "LeftAlone"


def test_a_builder_that_was_stopped_early_needs_no_guard_any_more(world: World) -> None:
    guarded(world)
    meanwhile(world, 600, lambda: world.double.call("StopImageBuilder", {"Name": BUILDER}))
    guard = world.run_stop()
    assert (guard.status, guard.output["Outcome"], stops(world)) == ("SUCCEEDED", "LeftAlone", 1)


def test_a_builder_that_was_deleted_needs_no_guard_any_more(world: World) -> None:
    guarded(world)
    meanwhile(world, 600, lambda: world.double.delete_builder(BUILDER))
    guard = world.run_stop()
    assert (guard.status, guard.output["Outcome"]) == ("SUCCEEDED", "LeftAlone")
    assert world.topic.messages == []


def test_an_hour_of_trouble_does_not_end_a_guard(world: World) -> None:
    guarded(world, StopAfterMinutes=600)
    meanwhile(world, 600, lambda: add_fault(world, answers("DescribeImageBuilders", "InternalFailure", 50)))
    guard = world.run_stop()
    assert (guard.status, guard.output["Outcome"]) == ("SUCCEEDED", "Stopped")


def test_trouble_without_end_is_told_before_the_guard_has_looked_for_days(world: World) -> None:
    guarded(world, StopAfterMinutes=10_080)
    meanwhile(world, 600, lambda: add_fault(world, answers("DescribeImageBuilders", "InternalFailure")))
    began = world.clock.now()
    guard = world.run_stop()
    assert (guard.error, len(world.topic.messages)) == ("InternalFailure", 1)
    assert world.clock.now() - began < 3 * 3_600


# Telling


def test_an_error_of_the_code_is_told_as_one_of_a_stop(world: World) -> None:
    fails: Invocation = lambda handler, event: function_error("KeyError", "Name")  # noqa: E731  # one use
    world.prepare({"state": "RUNNING"})
    world.engine.script = {"validate_request": [fails]}
    run = world.run_stop(STOP)
    assert (run.error, run.cause["Aim"]) == ("KeyError", "stop")
    assert json.loads(run.cause_text)["OperatorsNotified"] is True


def add_fault(world: World, fault: dict[str, Any]) -> None:
    world.double.faults.add(Fault.parse({"name": BUILDER, **fault}))
