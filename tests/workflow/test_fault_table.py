"""Each error, of each call, so often, in each starting state: how the run ends. All of it is run, in process.

What a cell has to be follows from three tables: how many answers in a row with that error a run outlives, which answers
a frequency spoils, and what becomes of the builder when nothing is wrong.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.scenarios import BUILDER, Outcome
from tests.workflow.conftest import World

CALLS_OF_BOTO3 = 3
"""boto3's standard retry mode makes so many calls of one, where the error may pass."""
ATTEMPTS_OF_A_TASK = 5
ATTEMPTS_TO_START = 5

SECONDS = CALLS_OF_BOTO3 * ATTEMPTS_OF_A_TASK - 1
TASK_ONLY = ATTEMPTS_OF_A_TASK - 1
# Throttling passes in seconds or in minutes.
SECONDS_AND_MINUTES = ATTEMPTS_TO_START * (SECONDS + 1) - 1
TASK_ONLY_AND_MINUTES = ATTEMPTS_TO_START * (TASK_ONLY + 1) - 1
MINUTES = ATTEMPTS_TO_START - 1
AT_ONCE = 0
LOOK_AGAIN = ("OperationNotPermittedException", "ResourceInUseException")


@dataclass(frozen=True)
class Trouble:
    """What AppStream does to a call.

    Attributes:
        fault: fields of the double's fault.
        error: the Error of a run that it ends.
        route: of that run.
        outlived: how many in a row a run outlives.
    """

    fault: Mapping[str, Any]
    error: str
    route: str
    outlived: int


def answers(code: str, route: str, outlived: int) -> Trouble:
    return Trouble({"error": {"code": code}}, code, route, outlived)


TROUBLES = [
    *(
        answers(code, "notify", MINUTES)
        for code in ("ConcurrentModificationException", "ResourceNotAvailableException")
    ),
    *(answers(code, "notify", MINUTES) for code in LOOK_AGAIN),
    # Not expected of these calls; to boto3 it is a kind of throttling.
    answers("LimitExceededException", "notify", CALLS_OF_BOTO3 - 1),
    *(
        answers(code, "notify", SECONDS_AND_MINUTES)
        for code in (
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "RequestThrottled",
            "RequestThrottledException",
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "SlowDown",
        )
    ),
    answers("RequestLimitExceededException", "notify", TASK_ONLY_AND_MINUTES),
    *(
        answers(code, "notify", SECONDS)
        for code in (
            "InternalFailure",
            "InternalError",
            "InternalServerError",
            "InternalServerException",
            "ServiceUnavailable",
            "RequestTimeout",
            "RequestTimeoutException",
        )
    ),
    *(answers(code, "notify", TASK_ONLY) for code in ("RequestAbortedException", "InternalServiceError")),
    *(
        answers(code, "fail", AT_ONCE)
        for code in (
            "IncompatibleImageException",
            "ResourceNotFoundException",
            "ValidationException",
            "InvalidParameterCombinationException",
            "InvalidParameterValue",
            "MissingParameter",
        )
    ),
    *(
        answers(code, "notify", AT_ONCE)
        for code in (
            "InvalidAccountStatusException",
            "AccessDeniedException",
            "ExpiredTokenException",
            "IncompleteSignature",
            "InvalidClientTokenId",
            "MissingAuthenticationTokenException",
            "NotAuthorized",
            "OptInRequired",
            "RequestExpired",
            "UnrecognizedClientException",
            "NobodyHasHeardOfThisException",
        )
    ),
    Trouble({"drop": "before"}, "AppStreamUnreachable", "notify", SECONDS),
    # Beyond boto3's read timeout.
    Trouble({"delay": 60}, "AppStreamUnreachable", "notify", SECONDS),
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


def frequencies(trouble: Trouble) -> Iterator[tuple[str, Mapping[str, Any], int]]:
    """How often, as fields of the fault, and how many answers in a row it spoils."""
    yield "once", {"times": 1}, 1
    if trouble.outlived > 1:
        yield "all but once too often", {"times": trouble.outlived}, trouble.outlived
    yield "once too often", {"times": trouble.outlived + 1}, trouble.outlived + 1
    yield "for ever", {"times": None}, 10_000
    yield "alternating", {"times": None, "every": 2}, 1


def outlives(trouble: Trouble, operation: str, state: str, often: str, spoilt: int) -> bool:
    if operation == "StartImageBuilder" and "delay" in trouble.fault:
        # The late answers are lost, the start they answer is not: it is joined.
        return True
    if operation == "DescribeImageBuilders" and trouble.error in LOOK_AGAIN:
        # A look that is answered so goes on looking, until the deadline; but where every second is, a start, which
        # looks first, never gets through.
        return spoilt < 100 and not (often == "alternating" and state in STARTED_FROM)
    return spoilt <= trouble.outlived


def check(run: Outcome, trouble: Trouble, state: str, spoilt: bool) -> None:
    usual = STATES[state][1]
    if spoilt:
        assert (run.status, run.error, run.cause["Route"]) == ("FAILED", trouble.error, trouble.route)
        assert run.starts == 0
        assert len(run.messages) == 1
    elif usual in ("Running", "AlreadyRunning"):
        assert run.status == "SUCCEEDED", run.error
        assert run.starts == (state in STARTED_FROM)
        assert run.messages == []
        if usual == "AlreadyRunning":
            # Trouble on the way to the first look is no wait of the workflow's, unless it took minutes.
            assert run.output["Outcome"] == ("AlreadyRunning" if run.output["WaitedSeconds"] == 0 else "Running")
    else:
        assert (run.status, run.error) == ("FAILED", usual)
        assert run.cause["ImageBuilder"]["State"] == state
        assert run.starts == 0
        assert len(run.messages) == 1


@pytest.mark.parametrize("operation", ["StartImageBuilder", "DescribeImageBuilders"])
@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: f"{trouble.error}{trouble.fault.get('delay', '')}")
def test_every_frequency_in_every_state(trouble: Trouble, operation: str) -> None:
    for state, (builder, _) in STATES.items():
        befalls = operation == "DescribeImageBuilders" or state in STARTED_FROM
        for often, fields, spoilt in frequencies(trouble):
            if not befalls and often != "for ever":
                continue  # a call that is never made is spoilt as well once as for ever
            world = World.new()
            world.prepare(builder, [{"operation": operation, **trouble.fault, **fields}])
            run = world.outcome(world.run({"Name": BUILDER}))
            try:
                check(run, trouble, state, befalls and not outlives(trouble, operation, state, often, spoilt))
            except AssertionError as problem:
                raise AssertionError(f"{trouble.fault} {often} of {operation}, {state}: {problem}") from problem
