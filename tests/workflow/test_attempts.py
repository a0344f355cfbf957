"""What a start remembers from one attempt to the next, and what it forgets."""

from typing import Any

import pytest

from tests.workflow.conftest import World
from tests.workflow.engine import Invocation, service_error
from tests.workflow.scripted import fails, finds, starts

CRASHED = fails("Sandbox.Timedout")
REFUSED = fails("ConcurrentModificationException")
UNAVAILABLE = [service_error("StartExecution")] * 7
POLL, SCHEDULE = "Poll image builder", "Schedule auto-stop"


def test_after_an_error_the_auto_stop_of_an_accepted_start_is_scheduled_at_once(world: World) -> None:
    states = world.start(starts=[REFUSED, starts()], polls=[finds("RUNNING")], StopAfterMinutes=5).states
    assert states.index(SCHEDULE) < states.index(POLL)


@pytest.mark.parametrize("second", [starts(), CRASHED], ids=["accepted", "crashed"])
def test_an_auto_stop_that_could_not_be_scheduled_does_not_delay_that_of_the_next_attempt(
    world: World, second: Invocation
) -> None:
    polls = [finds("STOPPED"), finds("PENDING"), finds("RUNNING")]
    script = {"StartExecution": UNAVAILABLE}
    states = world.start(starts=[starts(), second], polls=polls, script=script, StopAfterMinutes=5).states
    last_poll = len(states) - 1 - states[::-1].index(POLL)
    assert SCHEDULE in states[states.index(POLL) : last_poll]
    assert world.scheduled == ["test-stop-2"]


def test_after_a_crash_the_auto_stop_waits_for_a_poll_that_succeeds(world: World) -> None:
    polls = [fails("Lambda.Unknown"), finds("PENDING"), finds("RUNNING")]
    states = world.start(starts=[CRASHED], polls=polls, StopAfterMinutes=5).states
    assert states[: states.index(SCHEDULE)].count(POLL) == 2


def test_a_dry_run_whose_function_crashed_ends_with_the_first_poll_that_succeeds(world: World) -> None:
    execution = world.start(
        starts=[CRASHED], polls=[fails("Lambda.Unknown"), finds("STOPPED")], DryRun=True, StopAfterMinutes=5
    )
    assert (execution.status, execution.output["Outcome"], world.scheduled) == ("SUCCEEDED", "DryRun", [])


def test_after_a_crash_what_was_running_before_gets_no_auto_stop(world: World) -> None:
    assert world.start({"state": "RUNNING"}, starts=[CRASHED], StopAfterMinutes=5).status == "SUCCEEDED"
    assert world.scheduled == []


def test_after_a_crash_of_a_later_attempt_what_was_running_before_gets_no_auto_stop(world: World) -> None:
    world.start(starts=[REFUSED, REFUSED, CRASHED], polls=[finds("RUNNING")], StopAfterMinutes=5)
    assert world.scheduled == []


def test_a_crash_at_the_deadline_is_waited_for_no_longer(world: World) -> None:
    world.start(starts=[REFUSED, REFUSED, CRASHED], polls=[finds("PENDING")], TimeoutMinutes=5)
    assert sum(world.pauses) == 5 * 60


def test_what_was_presumed_of_one_attempt_is_not_said_of_the_next(world: World) -> None:
    lost, running = starts(lost=True), finds("RUNNING")
    execution = world.start(starts=[lost], polls=[running], StopAfterMinutes=5)
    assert "presumed" in execution.output["AutoStop"]["Why"]
    execution = world.start(starts=[lost, starts()], polls=[finds("STOPPED"), running], StopAfterMinutes=6)
    assert "presumed" not in execution.output["AutoStop"]["Why"]


def test_an_auto_stop_that_fails_at_running_is_tried_again_at_once(world: World) -> None:
    execution = world.start(starts=[starts("RUNNING")], script={"StartExecution": UNAVAILABLE}, StopAfterMinutes=5)
    assert (execution.status, execution.states.count(SCHEDULE), execution.states.count(POLL)) == ("SUCCEEDED", 2, 0)


def test_a_start_by_somebody_else_after_the_own_one_gets_no_auto_stop(world: World) -> None:
    polls = [finds("PENDING"), finds("STOPPING"), finds("PENDING"), finds("RUNNING")]
    execution = world.start(starts=[starts()], polls=polls, script={"StartExecution": UNAVAILABLE}, StopAfterMinutes=5)
    assert (execution.status, execution.output["Started"], world.scheduled) == ("SUCCEEDED", False, [])


def test_a_failure_after_the_own_start_is_over_does_not_say_that_it_goes_on(world: World) -> None:
    polls = [finds("PENDING"), finds("STOPPING"), finds("FAILED")]
    cause = world.start(starts=[starts()], polls=polls, StopAfterMinutes=5).cause
    assert "goes on" not in cause["Message"]


def test_a_start_that_is_accepted_late_is_polled_as_one_that_is_accepted_at_once(world: World) -> None:
    builder = {"next_start": [("PENDING", 380), ("RUNNING", None)]}
    busy = {"code": "ConcurrentModificationException", "message": "Wait a few minutes and try again."}
    at_once = world.start(builder).output["Polls"]
    faults = [{"operation": "StartImageBuilder", "times": 2, "error": busy}]
    assert world.start(builder, faults).output["Polls"] == at_once


def test_polls_that_fail_end_at_the_deadline(world: World) -> None:
    world.start(starts=[starts()], polls=[fails("ThrottlingException")] * 20, TimeoutMinutes=8)
    assert sum(world.pauses) == 8 * 60


@pytest.mark.parametrize("shown", [{"State": "PENDING", "CreatedTime": "garbage"}, 5])
def test_an_answer_that_cannot_be_read_is_presumed_to_be_the_own_start(world: World, shown: Any) -> None:
    fault = {"operation": "StartImageBuilder", "times": 1, "answer": {"ImageBuilder": shown}}
    execution = world.start(faults=[fault], StopAfterMinutes=60)
    assert (execution.output["Started"], world.scheduled) == (False, ["test-stop-1"])
