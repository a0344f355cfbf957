"""Each canonical error, of each call, so often, in each starting state: how the execution ends. All of it is run.

What a cell must be follows from three tables: how many answers in a row with that error an execution survives, which
answers a frequency spoils, and what becomes of the image builder when nothing is wrong.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.scenarios import Outcome
from tests.workflow.conftest import World

CALLS_OF_BOTO3 = 3
"""Of a call that reads: boto3's standard retry mode makes so many where the error may be transient."""
TRIES_OF_A_TASK = 5
ATTEMPTS_TO_START = 5
FOR_EVER = 10_000
MINUTES = ATTEMPTS_TO_START - 1
SECONDS_AND_MINUTES = ATTEMPTS_TO_START * TRIES_OF_A_TASK - 1
READS = ATTEMPTS_TO_START * TRIES_OF_A_TASK * CALLS_OF_BOTO3 - 1
AT_LEAST = TRIES_OF_A_TASK * CALLS_OF_BOTO3 - 1
"""Beyond the first attempt, boto3's retry quota decides. Source: botocore/retries/quota.py."""


class FaultCase(NamedTuple):
    """What AppStream does to a call, and how many answers in a row an execution survives that it ends."""

    fault: Mapping[str, Any]
    error: str
    route: str
    starts: int
    reads: int  # before the start
    transient: bool = True  # polls go on until the deadline; else two in a row end the execution


def answers(code: str, route: str, starts: int, reads: int, **more: Any) -> FaultCase:
    return FaultCase(
        {"error": {"code": code}}, **{"error": code, "route": route, "starts": starts, "reads": reads, **more}
    )


UNAVAILABLE = "ServiceUnavailableException"
NOT_PERMITTED = answers("OperationNotPermittedException", "notify", MINUTES, MINUTES)
FAULT_CASES = [
    NOT_PERMITTED,
    answers("ConcurrentModificationException", "notify", MINUTES, MINUTES),
    answers("ResourceNotAvailableException", "notify", MINUTES, MINUTES),
    answers("ThrottlingException", "notify", SECONDS_AND_MINUTES, READS),
    # A 5xx or no answer to the start: it is presumed, polled, and sent again in minutes.
    answers("InternalFailure", "notify", MINUTES, AT_LEAST, error=UNAVAILABLE),
    FaultCase({"drop": "before"}, UNAVAILABLE, "notify", MINUTES, AT_LEAST),
    FaultCase({"delay": 60}, UNAVAILABLE, "notify", FOR_EVER, AT_LEAST),
    answers("IncompatibleImageException", "fail", 0, 0, transient=False),
    answers("ResourceNotFoundException", "fail", 0, 0, transient=False),
    answers("ValidationException", "fail", 0, 0, transient=False),
    answers("InvalidAccountStatusException", "notify", 0, 0, transient=False),
    answers("AccessDeniedException", "notify", 0, 0, transient=False),
    answers("SomethingNewException", "notify", TRIES_OF_A_TASK - 1, TRIES_OF_A_TASK - 1, transient=False),
]
SOON: Mapping[str, Any] = {"durations": {"pending": 60}}
STATES: Mapping[str, tuple[Mapping[str, Any], str]] = {
    "STOPPED": (SOON, "Running"),
    "STOPPING": ({"state": [["STOPPING", 60], ["STOPPED", None]], **SOON}, "Running"),
    "PENDING": ({"state": [["PENDING", 60], ["RUNNING", None]]}, "Running"),
    "RUNNING": ({"state": "RUNNING"}, "AlreadyRunning"),
    "FAILED": ({"state": "FAILED"}, "ImageBuilderFailed"),
    "DELETING": ({"state": "DELETING"}, "ImageBuilderDeleting"),
}
STARTED_FROM = ("STOPPED", "STOPPING")
each_trouble = pytest.mark.parametrize(
    "case", FAULT_CASES, ids=lambda case: f"{case.error}{case.fault.get('delay', '')}"
)


def frequencies(survived: int) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """How often, as fields of the fault, and how many answers in a row it spoils."""
    yield "once", {"times": 1}, 1
    if survived < FOR_EVER:
        if survived > 1:
            yield "all but once too often", {"times": survived}, survived
        if survived != AT_LEAST:
            yield "once too often", {"times": survived + 1}, survived + 1
    yield "for ever", {"times": None}, FOR_EVER
    yield "alternating", {"times": None, "every": 2}, 1


def check(outcome: Outcome, case: FaultCase, state: str, spoilt: bool) -> None:
    usual = STATES[state][1]
    if spoilt:
        assert (outcome.status, outcome.error, outcome.cause["Route"]) == ("FAILED", case.error, case.route)
        assert (outcome.starts, len(outcome.messages)) == (0, 1)
    elif usual in ("Running", "AlreadyRunning"):
        assert (outcome.status, outcome.messages) == ("SUCCEEDED", []), outcome.error
        assert outcome.starts == (state in STARTED_FROM)
        if usual == "AlreadyRunning":
            # What delays the first poll is no wait of the workflow's, unless it took minutes.
            assert outcome.output["Outcome"] == ("Running" if outcome.output["WaitedSeconds"] else "AlreadyRunning")
    else:
        assert (outcome.status, outcome.error) == ("FAILED", usual)
        assert outcome.cause["ImageBuilder"]["State"] == state
        assert (outcome.starts, len(outcome.messages)) == (0, 1)


@each_trouble
@pytest.mark.parametrize("operation", ["StartImageBuilder", "DescribeImageBuilders"])
def test_every_frequency_in_every_state(case: FaultCase, operation: str) -> None:
    reads = operation == "DescribeImageBuilders"
    survived = case.reads if reads else case.starts
    for state, (builder, _) in STATES.items():
        called = reads or state in STARTED_FROM
        for often, fields, spoilt in frequencies(survived):
            if not called and often != "for ever":
                continue  # a call that is never made is spoilt as well once as for ever
            ends = called and spoilt > survived
            world = World.new()
            outcome = world.outcome(world.start(builder, [{"operation": operation, **case.fault, **fields}]))
            if case is NOT_PERMITTED and reads:
                # Polled after each: the polls survive it, and a start never succeeds where every second read is spoilt.
                ends = often == "alternating" and state in STARTED_FROM
                if often == "for ever":
                    assert outcome.error == "ImageBuilderStartTimedOut"
                    continue
            try:
                check(outcome, case, state, ends)
            except AssertionError as problem:
                raise AssertionError(f"{case.fault} {often} of {operation}, {state}: {problem}") from problem


@each_trouble
@pytest.mark.parametrize("often", ["once", "for a minute", "for ever", "alternating"])
def test_polls_after_an_accepted_start_survive_what_is_transient(case: FaultCase, often: str) -> None:
    spoilt = CALLS_OF_BOTO3 if case.transient else 1
    times = {"once": spoilt, "for a minute": 4 * spoilt, "for ever": None, "alternating": None}[often]
    every = 2 if often == "alternating" else 1
    fault = {"operation": "DescribeImageBuilders", "skip": 1, "times": times, "every": every, **case.fault}
    world = World.new()
    outcome = world.outcome(world.start(faults=[fault]))
    assert outcome.starts == 1
    if often in ("once", "alternating") or (often == "for a minute" and case.transient):
        assert (outcome.status, outcome.output["Started"], outcome.messages) == ("SUCCEEDED", True, [])
    else:
        error = "ImageBuilderStartTimedOut" if case.transient else case.error
        assert (outcome.status, outcome.error, len(outcome.messages)) == ("FAILED", error, 1)
        assert "The start goes on: it is billed until it is stopped." in outcome.cause["Message"]
