"""Every execution ends: how long it waits, how many events it makes, how often it starts, how long its Cause is."""

import itertools
import json
from typing import Any

import pytest

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Invocation, function_error, run_handler
from tests.workflow.scripted import POLL, START, fails, finds, pauses_of, run, starts

MOST_EVENTS = 25_000
"""Of a history. Source: AWS Step Functions developer guide, Service quotas."""

MOST_START_EVENTS = 6_000
MOST_CAUSE = 32_768


def events_on_aws(execution: Execution) -> int:
    """Events as AWS counts them: moto leaves out ExecutionStarted. Source: Step Functions API, HistoryEvent."""
    return len(execution.history) + 1


def waits(execution: Execution) -> int:
    return sum(state.startswith("Wait") for state in execution.states)


@pytest.mark.parametrize("polls", ["succeed", "fail", "alternate"])
def test_the_longest_start_ends_within_its_events_and_its_time(world: World, polls: str) -> None:
    world.prepare({"state": "PENDING"})
    answers: dict[str, list[Invocation]] = {
        "succeed": [],
        "fail": [fails("Lambda.Unknown")] * 900,
        "alternate": [fails("Lambda.Unknown"), run_handler] * 450,
    }
    world.engine.script = {POLL: answers[polls]}
    began = world.clock.now()
    execution = world.run({"Name": BUILDER, "TimeoutMinutes": 720, "PollIntervalSeconds": 10})
    assert execution.error == "ImageBuilderStartTimedOut"
    assert world.clock.now() - began == 720 * 60
    assert events_on_aws(execution) < MOST_START_EVENTS
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize("polls", ["succeed", "alternate"])
def test_an_auto_stop_of_a_week_fits_into_a_history_even_if_every_second_poll_fails(world: World, polls: str) -> None:
    world.prepare({"state": [["PENDING", 12 * 3_600], ["RUNNING", None]]})
    if polls == "alternate":
        world.engine.script = {POLL: [fails("Lambda.Unknown"), run_handler] * 3_000}
    pauses = pauses_of(world)
    execution = world.run_stop({"Name": BUILDER, "StopAfterMinutes": 10_080, "TimeoutMinutes": 720})
    assert execution.output["Outcome"] == "Stopped"
    assert max(pauses) <= 270
    assert events_on_aws(execution) < MOST_EVENTS - 2_000


@pytest.mark.parametrize(
    ("contract", "request_"),
    [("start", {"TimeoutMinutes": 30}), ("stop", {"StopAfterMinutes": 60})],
)
def test_a_poll_makes_at_most_ten_events_whether_it_fails_or_not(
    world: World, contract: str, request_: dict[str, Any]
) -> None:
    world.prepare({"state": "PENDING" if contract == "start" else "RUNNING"})
    world.engine.script = {POLL: [run_handler, fails("Lambda.Unknown")] * 200}
    request = {"Name": BUILDER, **request_}
    execution = world.run(request) if contract == "start" else world.run_stop(request)
    polls = execution.states.count("Poll image builder")
    assert polls >= 10
    assert (events_on_aws(execution) - 50) / polls <= 10


@pytest.mark.parametrize("minutes", [5, 6, 7, 59, 60, 61, 720])
def test_the_last_poll_is_at_the_deadline_to_the_second(world: World, minutes: int) -> None:
    world.prepare({"state": [["PENDING", minutes * 60], ["RUNNING", None]]})
    execution = world.run({"Name": BUILDER, "TimeoutMinutes": minutes})
    assert execution.status == "SUCCEEDED"
    assert execution.output["WaitedSeconds"] == minutes * 60
    assert execution.output["Polls"] == waits(execution)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, [60, 180, 23, 23]),
        (10, [60, 180, 10, 10]),
        (59, [60, 180, 59, 59]),
        (60, [240, 60, 60]),
        (250, [250, 250]),
    ],
)
def test_an_own_start_is_polled_after_one_minute_and_after_four(
    world: World, seconds: int | None, expected: list[int]
) -> None:
    world.prepare({"next_start": [["PENDING", None]]})
    pauses = pauses_of(world)
    world.run({"Name": BUILDER} | ({} if seconds is None else {"PollIntervalSeconds": seconds}))
    assert pauses[: len(expected)] == expected


def test_an_own_start_after_a_wait_is_polled_four_minutes_after_the_beginning(world: World) -> None:
    world.prepare({"state": [["STOPPING", 100], ["STOPPED", None]], "next_start": [["PENDING", None]]})
    pauses = pauses_of(world)
    world.run({"Name": BUILDER})
    assert pauses[:7] == [23, 23, 23, 23, 23, 240 - 5 * 23, 23]


def test_minutes_between_attempts_count_towards_the_deadline(world: World) -> None:
    world.prepare({}, [{"operation": "StartImageBuilder", "error": {"code": "ConcurrentModificationException"}}])
    began = world.clock.now()
    execution = world.run({"Name": BUILDER, "TimeoutMinutes": 5})
    assert execution.error == "ConcurrentModificationException"
    assert world.clock.now() - began == 5 * 60
    assert len(world.topic.messages) == 1


def test_attempts_are_jittered(world: World) -> None:
    world.prepare({}, [{"operation": "StartImageBuilder", "error": {"code": "ConcurrentModificationException"}}])
    seen = set()
    for _ in range(10):
        pauses = pauses_of(world)
        world.run({"Name": BUILDER})
        assert all(
            0.75 * middle <= pause <= 1.25 * middle and pause == int(pause)
            for pause, middle in zip(pauses, [120, 240, 480, 600], strict=True)
        )
        seen.add(tuple(pauses))
    assert len(seen) > 5


def test_a_builder_that_always_stops_again_is_started_five_times(world: World) -> None:
    script = {"stages": [["PENDING", 60], ["STOPPED", None]]}
    world.prepare({"next_start": script})
    advance = world.engine.sleep

    def sleep(seconds: float) -> None:
        advance(seconds)
        world.fake.patch_builder(BUILDER, next_start=script)

    world.engine.sleep = sleep
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert (outcome.error, outcome.starts, len(outcome.messages)) == ("ImageBuilderFailed", 5, 1)


def test_waiting_for_a_builder_to_stop_uses_up_no_attempt(world: World) -> None:
    world.prepare(
        {"state": [["STOPPING", 300], ["STOPPED", None]]},
        [{"operation": "StartImageBuilder", "times": 4, "error": {"code": "ConcurrentModificationException"}}],
    )
    assert world.run({"Name": BUILDER}).status == "SUCCEEDED"


# The Cause

LONG = {
    "plain": "subnet-0123456789abcdef0 has no free addresses. " * 6,
    "control characters": "\x01" * 300,
    "quotes": '"\\' * 150,
    "unicode": "\u202e\U0001f5bc" * 150,
}


@pytest.mark.parametrize("text", LONG)
@pytest.mark.parametrize("workflow", ["start", "stop"])
def test_the_cause_with_seventy_errors_is_json_within_its_limit_and_names_the_first(
    world: World, text: str, workflow: str
) -> None:
    errors = [{"ErrorCode": f"CODE_{index}", "ErrorMessage": LONG[text]} for index in range(70)]
    reason = {"Code": "INTERNAL_ERROR", "Message": LONG[text] * 4}
    members = {"ImageBuilderErrors": errors, "StateChangeReason": reason, "Description": LONG[text]}
    world.prepare({"state": "FAILED" if workflow == "start" else "STOPPING", "members": members})
    request = {"Name": BUILDER, "TimeoutMinutes": 5}
    execution = world.run(request) if workflow == "start" else world.run_stop(request)
    assert execution.status == "FAILED"
    assert len(execution.cause_text) <= MOST_CAUSE
    cause = json.loads(execution.cause_text)
    assert cause["ImageBuilder"]["Name"] == BUILDER
    assert cause["ImageBuilder"]["ImageBuilderErrors"][0]["ErrorCode"] == "CODE_0"
    assert cause["OperatorsNotified"] is True
    (message,) = world.topic.messages
    assert len(message["Message"].encode()) < 262_144


@pytest.mark.parametrize("character", ["x", "\x01", '"', "\U0001f5bc"])
def test_the_cause_with_the_longest_message_of_aws_is_json_within_its_limit(world: World, character: str) -> None:
    message = character * 100_000
    world.prepare({}, [{"operation": "StartImageBuilder", "error": {"code": "X" * 300, "message": message}}])
    execution = world.run({"Name": BUILDER})
    assert (execution.error, len(execution.cause_text) <= MOST_CAUSE) == ("X" * 60, True)
    assert json.loads(execution.cause_text)["OperatorsNotified"] is True


def test_a_message_with_all_that_is_added_to_it_stays_within_the_limit(world: World) -> None:
    world.engine.start_errors = []
    polls = itertools.repeat(fails("AccessDeniedException", "\x01" * 9_000), 2)
    request = {"StopAfterMinutes": 5, "StopOnFailure": True}
    members = {"ImageBuilderErrors": [{"ErrorCode": "X", "ErrorMessage": "\x01" * 300}] * 70}
    execution = run(world, request, **{START: [starts()], POLL: [finds("PENDING", **members), *polls]})
    assert execution.error == "AccessDeniedException"
    assert len(execution.cause_text) <= MOST_CAUSE


def test_a_request_of_almost_256_kib_is_refused_with_a_cause(world: World) -> None:
    execution = world.run({"Name": BUILDER, "x": "y" * 261_000})
    assert (execution.error, len(execution.cause_text) <= MOST_CAUSE) == ("InvalidRequest", True)


def test_a_function_error_that_holds_a_cut_report_is_text(world: World) -> None:
    cut = json.dumps({"Message": "m" * 100, "Route": "notify", "Advice": "a"})[:60]
    answer = function_error("Odd", cut)
    execution = run(world, start_image_builder=[lambda handler, event: answer] * 5)
    assert (execution.error, execution.cause["Message"]) == ("Odd", cut)
