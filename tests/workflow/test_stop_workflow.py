"""The workflow that stops an image builder at once, and the limits that it shares with the auto-stop."""

from itertools import repeat
from typing import Any

import pytest

from tests.scenarios import BUILDER, answers
from tests.workflow.conftest import World
from tests.workflow.engine import Invocation, run_handler
from tests.workflow.scripted import fails

MINUTE = 60


@pytest.mark.parametrize(
    ("builder", "outcome", "calls"),
    [
        ({"state": "RUNNING"}, "Stopped", 1),
        ({"state": "RUNNING", "tags": {"skip_stop": "1", "Owner": "Skip_Stop"}}, "Stopped", 1),
        ({"state": "STOPPED"}, "AlreadyStopped", 0),
        ({"state": [["STOPPING", 200], ["STOPPED", None]]}, "AlreadyStopped", 0),
        ({"state": [["PENDING", 400], ["RUNNING", None]]}, "Stopped", 1),
        ({"state": [["SOMETHING_NEW", 400], ["RUNNING", None]]}, "Stopped", 1),
        ({"state": "FAILED"}, "LeftAlone", 0),
        ({"state": "DELETING"}, "LeftAlone", 0),
    ],
)
def test_a_stop_converges(world: World, builder: dict[str, Any], outcome: str, calls: int) -> None:
    stop = world.stop(builder)
    assert (stop.status, stop.output["Outcome"], world.stops) == ("SUCCEEDED", outcome, calls), stop.cause
    assert set(stop.output) == {"Outcome", "Why", "ImageBuilder", "WaitedSeconds"}
    assert stop.output["Why"]
    assert outcome == "LeftAlone" or world.state == "STOPPED"
    assert world.topic.messages == []


@pytest.mark.parametrize(
    ("state", "minutes", "advice"),
    [
        ("RUNNING", 5, "Stop the image builder in the AppStream"),
        ("PENDING", 5, "No action is possible while it is PENDING"),
        ("STOPPING", 5, "The stop was accepted, and does not end"),
        ("SNAPSHOTTING", 720, "An image is being created. It cannot be stopped until that has ended"),
    ],
)
def test_a_stop_that_does_not_end_notifies_at_its_deadline_with_advice_for_the_state(
    world: World, state: str, minutes: int, advice: str
) -> None:
    refused = answers("StopImageBuilder", "OperationNotPermittedException")
    stop = world.stop({"state": state}, [refused], TimeoutMinutes=minutes)
    assert world.failure(stop) == ("ImageBuilderStopTimedOut", "notify", 1)
    assert (stop.cause["Aim"], stop.cause["OperatorsNotified"]) == ("stop", True)
    assert f"still {state} {minutes} minutes after it was due to be stopped" in stop.cause["Message"]
    assert stop.cause["Advice"].startswith(advice)
    assert sum(world.pauses) <= (minutes + 1) * MINUTE


@pytest.mark.parametrize(
    "fault",
    [
        answers("StopImageBuilder", "InternalFailure"),
        answers("StopImageBuilder", "ThrottlingException"),
        answers("DescribeImageBuilders", "InternalFailure"),
        answers("ListTagsForResource", "ThrottlingException"),
        {"operation": "*", "delay": 60, "times": None},
        {"operation": "*", "drop": "before", "times": None},
    ],
    ids=lambda fault: f"{fault['operation']}-{list(fault)[1]}",
)
def test_the_operators_are_notified_within_an_hour_whatever_hinders_the_stop(
    world: World, fault: dict[str, Any]
) -> None:
    began = world.clock.now()
    assert world.failure(world.stop(faults=[fault])) == ("ImageBuilderStopTimedOut", "notify", 1)
    assert world.clock.now() - began <= 62 * MINUTE


@pytest.mark.parametrize(
    ("error", "hangs"),
    [("States.Timeout", 90), ("Sandbox.Timedout", 90), ("Lambda.Unknown", 0), ("Runtime.ExitError", 0)],
)
@pytest.mark.parametrize(
    ("function", "state"),
    [("describe_image_builder", "Poll image builder"), ("stop_image_builder", "Stop image builder")],
)
def test_tasks_that_fail_for_ever_end_within_the_hour_that_they_count(
    world: World, error: str, hangs: int, function: str, state: str
) -> None:
    stop = world.stop(script={function: repeat(fails(error))})
    assert world.failure(stop) == ("ImageBuilderStopTimedOut", "notify", 1)
    assert f"The last error was {error}." in stop.cause["Message"]
    assert stop.cause["Advice"].startswith("Stop the image builder in the AppStream console")
    assert stop.states.count(state) * (60 + hangs) <= 64 * MINUTE


def test_two_clocks_wait_and_stop(world: World) -> None:
    faults = [answers("StopImageBuilder", "OperationNotPermittedException")]
    assert world.stop(faults=faults, StopAfterMinutes=600, TimeoutMinutes=30).error == "ImageBuilderStopTimedOut"
    assert 630 * MINUTE <= sum(world.pauses) <= 631 * MINUTE


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
    stop = world.stop(faults=[answers(operation, code)])
    assert (*world.failure(stop), stop.cause["Name"]) == (error, route, 1, BUILDER)
    assert world.stops == 0
    polled = operation == "DescribeImageBuilders"
    assert stop.states.count("Poll image builder" if polled else "Stop image builder") == 2
    assert all(text in world.topic.messages[0]["Message"] for text in (error, stop.cause["Message"], BUILDER))


REFUSED, CRASHED = fails("AccessDeniedException"), fails("Lambda.Unknown")


@pytest.mark.parametrize("function", ["describe_image_builder", "stop_image_builder"])
@pytest.mark.parametrize("between", [run_handler, CRASHED], ids=["answered", "crashed"])
def test_refusals_with_another_answer_between_them_do_not_end_it(
    world: World, function: str, between: Invocation
) -> None:
    # What is answered here is that it is not done yet: the call to stop is not accepted.
    faults = [answers("StopImageBuilder", "OperationNotPermittedException", 3)]
    script = {function: [REFUSED, between, REFUSED, between, REFUSED]}
    assert world.stop(faults=faults, script=script).status == "SUCCEEDED"


@pytest.mark.parametrize("minutes", [5, 61])
def test_polls_that_fail_are_repeated_each_minute_until_the_time_of_the_request(world: World, minutes: int) -> None:
    stop = world.stop(script={"describe_image_builder": repeat(CRASHED)}, TimeoutMinutes=minutes)
    assert stop.cause["Message"].startswith("The image builder may still run: the tasks of this execution fail.")
    assert world.pauses == [MINUTE] * minutes


def test_a_call_to_stop_that_may_have_been_accepted_between_two_refusals_does_not_end_it(world: World) -> None:
    lost = {"operation": "StopImageBuilder", "times": 1, "drop": "before"}
    script = {"stop_image_builder": [REFUSED, run_handler, REFUSED, run_handler]}
    assert world.stop(faults=[lost], script=script).status == "SUCCEEDED"


def test_a_poll_that_fails_between_frequent_ones_is_repeated_after_a_minute(world: World) -> None:
    builder = {"state": [["PENDING", 100], ["RUNNING", None]]}
    world.stop(builder, script={"describe_image_builder": [run_handler, CRASHED]})
    assert world.pauses[0] < MINUTE
    assert world.pauses[1] == MINUTE


def test_the_time_that_a_poll_hangs_is_waited(world: World) -> None:
    stop = world.stop(script={"describe_image_builder": [fails("States.Timeout")]})
    assert stop.output["WaitedSeconds"] == sum(world.pauses) + 90


def test_tasks_that_fail_now_and_then_do_not_end_it(world: World) -> None:
    world.prepare({"state": [["PENDING", 40 * MINUTE], ["RUNNING", None]]})
    world.plan({"describe_image_builder": [CRASHED, CRASHED, run_handler] * 30})
    assert world.run_stop({"Name": BUILDER, "TimeoutMinutes": 5, "StopAfterMinutes": 60}).status == "SUCCEEDED"


def test_a_builder_that_is_gone_when_it_is_to_be_stopped_is_left_alone(world: World) -> None:
    stop = world.stop(faults=[answers("StopImageBuilder", "ResourceNotFoundException")])
    assert stop.output["Outcome"] == "LeftAlone"
    assert stop.output["Why"] == "It no longer exists: there is nothing to stop."


def test_a_stop_of_no_builder_fails(world: World) -> None:
    assert world.failure(world.run_stop({"Name": BUILDER})) == ("ResourceNotFoundException", "fail", 1)


@pytest.mark.parametrize(
    ("execution_input", "name"),
    [({"Name": BUILDER, "DryRun": True}, BUILDER), ({"Name": "n" * 102}, "n" * 101), ([], None), ("x", None)],
)
def test_a_refused_request_reaches_no_call(world: World, execution_input: Any, name: str | None) -> None:
    stop = world.run_stop(execution_input)
    assert (stop.error, stop.cause["Route"], stop.cause["Aim"]) == ("InvalidRequest", "fail", "stop")
    assert (stop.cause["Name"], world.fake.calls) == (name, [])


@pytest.mark.parametrize(
    "lost", [{"drop": "after"}, {"drop": "before"}, {"delay": 60}, {"answer": {"ImageBuilder": None}}]
)
def test_a_lost_answer_leads_to_one_stop(world: World, lost: dict[str, Any]) -> None:
    stop = world.stop(faults=[{"operation": "StopImageBuilder", "times": 1, **lost}])
    assert (stop.output["Outcome"], world.stops, world.state) == ("Stopped", 1, "STOPPED")


@pytest.mark.parametrize(("options", "tag"), [({}, "Skip_Stop"), ({"SkipTag": "Keep"}, "Keep")])
def test_a_tag_forbids_the_stop(world: World, options: dict[str, Any], tag: str) -> None:
    output = world.stop({"state": "RUNNING", "tags": {tag: ""}}, **options).output
    assert (output["Outcome"], output["Why"]) == ("Skipped", f"It carries the tag {tag}.")
    assert (world.stops, world.state) == (0, "RUNNING")


@pytest.mark.parametrize("begin", range(0, 60, 20))
def test_a_start_by_somebody_else_after_the_stop_is_not_waited_for(world: World, begin: int) -> None:
    world.after(101 + begin, lambda: world.fake.call("StartImageBuilder", {"Name": BUILDER}))
    stop = world.stop({"state": "RUNNING", "durations": {"stopping": 100}})
    assert (stop.status, stop.output["Outcome"], world.stops) == ("SUCCEEDED", "Stopped", 1)
    assert world.topic.messages == []
