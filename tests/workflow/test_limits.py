"""Every execution ends: how long it waits, how many events it makes, how long its Cause is."""

import json
from itertools import cycle

import pytest

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Invocation, run_handler
from tests.workflow.scripted import POLL, fails

MOST_EVENTS = 25_000
"""Of a history. Source: AWS Step Functions developer guide, Service quotas."""

MOST_START_EVENTS = 6_000
MOST_CAUSE = 32_768


def events_on_aws(execution: Execution) -> int:
    """Events as AWS counts them: moto leaves out ExecutionStarted. Source: Step Functions API, HistoryEvent."""
    return len(execution.history) + 1


EVERY_SECOND_POLL_FAILS = [fails("Lambda.Unknown"), run_handler]


@pytest.mark.parametrize("polls", [[run_handler], EVERY_SECOND_POLL_FAILS], ids=["succeed", "alternate"])
def test_the_longest_start_ends_within_its_events_and_its_time(world: World, polls: list[Invocation]) -> None:
    execution = world.start({"state": "PENDING"}, polls=cycle(polls), TimeoutMinutes=720, PollIntervalSeconds=10)
    assert world.failure(execution) == ("ImageBuilderStartTimedOut", "notify", 1)
    assert sum(world.pauses) == 720 * 60
    assert events_on_aws(execution) < MOST_START_EVENTS


def test_an_auto_stop_of_a_week_fits_into_a_history_even_if_every_second_poll_fails(world: World) -> None:
    builder = {"state": [["PENDING", 12 * 3_600], ["RUNNING", None]]}
    script = {POLL: cycle(EVERY_SECOND_POLL_FAILS)}
    execution = world.stop(builder, script=script, StopAfterMinutes=10_080, TimeoutMinutes=720)
    assert execution.output["Outcome"] == "Stopped"
    assert max(world.pauses) <= 270
    assert events_on_aws(execution) < MOST_EVENTS - 2_000


@pytest.mark.parametrize("minutes", [5, 61, 720])
def test_the_last_poll_is_at_the_deadline_to_the_second(world: World, minutes: int) -> None:
    execution = world.start({"state": [["PENDING", minutes * 60], ["RUNNING", None]]}, TimeoutMinutes=minutes)
    assert execution.output["WaitedSeconds"] == minutes * 60
    assert execution.output["Polls"] == sum(state.startswith("Wait") for state in execution.states)


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
    members = {
        "ImageBuilderErrors": [{"ErrorCode": f"CODE_{index}", "ErrorMessage": LONG[text]} for index in range(70)],
        "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": LONG[text] * 4},
        "Description": LONG[text],
    }
    stages = [["FAILED" if workflow == "start" else "STOPPING", None]]
    builder = {"state": {"stages": stages, "at_end": members}}
    execution = getattr(world, workflow)(builder, TimeoutMinutes=5)
    assert len(execution.cause_text) <= MOST_CAUSE
    cause = json.loads(execution.cause_text)
    assert (cause["ImageBuilder"]["Name"], cause["OperatorsNotified"]) == (BUILDER, True)
    assert cause["ImageBuilder"]["ImageBuilderErrors"][0]["ErrorCode"] == "CODE_0"
    (message,) = world.topic.messages
    assert len(message["Message"].encode()) < 262_144


@pytest.mark.parametrize("character", ["x", "\x01", '"', "\U0001f5bc"])
def test_the_cause_with_the_longest_message_of_aws_is_json_within_its_limit(world: World, character: str) -> None:
    error = {"code": "X" * 300, "message": character * 100_000}
    execution = world.start(faults=[{"operation": "StartImageBuilder", "error": error}])
    assert (execution.error, len(execution.cause_text) <= MOST_CAUSE) == ("X" * 60, True)
    assert json.loads(execution.cause_text)["OperatorsNotified"] is True


def test_a_request_of_almost_256_kib_is_refused_with_a_cause(world: World) -> None:
    execution = world.run({"Name": BUILDER, "x": "y" * 261_000})
    assert (execution.error, len(execution.cause_text) <= MOST_CAUSE) == ("InvalidRequest", True)
