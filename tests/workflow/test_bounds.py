"""Every execution ends: how long it waits, how many events it makes, how often it starts, whom it tells."""

import itertools
from typing import Any

import pytest

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Handler, Invocation, function_error, run_handler

RETRY_SECONDS = 75
"""What the retries of one task wait at most, as the README says."""
MOST_EVENTS = 6_000


def fails_four_times_then_works() -> list[Invocation]:
    def fails(handler: Handler, event: Any) -> dict[str, Any]:
        return function_error("Lambda.Unknown", "again")

    return [fails, fails, fails, fails, run_handler]


def waits(run: Execution) -> int:
    return sum(state.startswith("Wait") for state in run.states)


def pauses_of(world: World, request: Any) -> list[float]:
    """Run it: how long each pause was, in order."""
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        world.clock.advance(seconds)

    world.engine.sleep = sleep
    world.run(request)
    return pauses


def script_every_start(world: World, script: Any) -> None:
    """Let every start lead to the same, not only the next one."""

    def sleep(seconds: float) -> None:
        world.clock.advance(seconds)
        world.double.patch_builder(BUILDER, next_start=script)

    world.prepare({"next_start": script})
    world.engine.sleep = sleep


@pytest.mark.parametrize("trouble", [False, True], ids=["no-trouble", "every-look-retried-four-times"])
def test_the_longest_request_ends_within_its_events_and_its_time(world: World, trouble: bool) -> None:
    world.prepare({"state": "PENDING"})
    if trouble:
        looks = list(itertools.chain.from_iterable(fails_four_times_then_works() for _ in range(400)))
        world.engine.script = {"start_image_builder": looks[:], "describe_image_builder": looks[:]}
    began = world.clock.now()
    run = world.run({"Name": BUILDER, "TimeoutMinutes": 720})
    assert run.error == "ImageBuilderStartTimedOut"
    assert run.cause["ImageBuilder"]["State"] == "PENDING"
    assert len(world.topic.messages) == 1
    assert len(run.history) < MOST_EVENTS
    waited = world.clock.now() - began
    assert 720 * 60 <= waited <= 720 * 60 + (waits(run) + 1) * RETRY_SECONDS
    assert (waited == 720 * 60) is not trouble


@pytest.mark.parametrize("minutes", [5, 6, 7, 59, 60, 61, 720])
def test_the_last_look_is_at_the_deadline_to_the_second(world: World, minutes: int) -> None:
    world.prepare({"state": [["PENDING", minutes * 60], ["RUNNING", None]]})
    run = world.run({"Name": BUILDER, "TimeoutMinutes": minutes})
    assert run.status == "SUCCEEDED"
    assert run.output["WaitedSeconds"] == minutes * 60
    assert run.output["Polls"] == waits(run)


def test_the_pauses_grow_with_the_time_waited(world: World) -> None:
    world.prepare({"state": "PENDING"})
    pauses = pauses_of(world, {"Name": BUILDER, "TimeoutMinutes": 720})
    waited = 0.0
    for pause in pauses[:-1]:
        assert pause == min(max(23, waited // 40), 300)
        waited += pause
    assert waited + pauses[-1] == 720 * 60


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
def test_a_start_of_its_own_is_looked_at_after_one_minute_and_after_four(
    world: World, seconds: int | None, expected: list[int]
) -> None:
    world.prepare({"next_start": [["PENDING", None]]})
    pauses = pauses_of(world, {"Name": BUILDER} | ({} if seconds is None else {"PollIntervalSeconds": seconds}))
    assert pauses[: len(expected)] == expected


def test_a_start_after_a_wait_is_looked_at_four_minutes_after_the_beginning(world: World) -> None:
    stages = {"state": [["STOPPING", 100], ["STOPPED", None]], "next_start": [["PENDING", None]]}
    world.prepare(stages)
    assert pauses_of(world, {"Name": BUILDER})[:7] == [23, 23, 23, 23, 23, 240 - 5 * 23, 23]


def test_minutes_between_attempts_count_towards_the_deadline(world: World) -> None:
    world.prepare({}, [{"operation": "StartImageBuilder", "error": {"code": "ConcurrentModificationException"}}])
    began = world.clock.now()
    run = world.run({"Name": BUILDER, "TimeoutMinutes": 5})
    assert run.error == "ConcurrentModificationException"
    assert world.clock.now() - began == 5 * 60
    assert len(world.topic.messages) == 1


def test_attempts_are_minutes_apart_and_jittered(world: World) -> None:
    world.prepare({}, [{"operation": "StartImageBuilder", "error": {"code": "ConcurrentModificationException"}}])
    seen = [pauses_of(world, {"Name": BUILDER}) for _ in range(20)]
    for pauses in seen:
        assert len(pauses) == 4
        for pause, middle in zip(pauses, [120, 240, 480, 600], strict=True):
            assert 0.75 * middle <= pause <= 1.25 * middle
            assert pause == int(pause)
    assert len({tuple(pauses) for pauses in seen}) > 10


def test_a_builder_that_always_falls_back_is_started_five_times(world: World) -> None:
    script_every_start(world, [["PENDING", 60], ["STOPPED", None]])
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.error, run.starts, len(run.messages)) == ("ImageBuilderFailed", 5, 1)
    assert "STOPPED again after 5 attempts" in run.cause["Message"]


def test_a_reason_for_falling_back_is_passed_on(world: World) -> None:
    script = {
        "stages": [["PENDING", 60], ["STOPPED", None]],
        "at_end": {"ImageBuilderErrors": [{"ErrorCode": "DOMAIN_JOIN_ERROR_ACCESS_DENIED", "ErrorMessage": "No."}]},
    }
    script_every_start(world, script)
    run = world.outcome(world.run({"Name": BUILDER}))
    assert "DOMAIN_JOIN_ERROR_ACCESS_DENIED: No." in run.cause["Message"]


def test_waiting_for_a_builder_to_stop_uses_up_no_attempt(world: World) -> None:
    world.prepare(
        {"state": [["STOPPING", 300], ["STOPPED", None]]},
        [{"operation": "StartImageBuilder", "times": 4, "error": {"code": "ConcurrentModificationException"}}],
    )
    assert world.run({"Name": BUILDER}).status == "SUCCEEDED"
