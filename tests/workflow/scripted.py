"""What becomes of invocations and calls, for the script of a test."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError

from lambdas.image_builder.errors import routed
from lambdas.image_builder.state import status_of, status_of_start
from tests.scenarios import BUILDER
from tests.workflow.engine import Handler, Invocation, function_error, run_handler

VALIDATE, START, POLL, NOTIFY = "validate_request", "start_image_builder", "describe_image_builder", "notify_operators"
CRASHES = [
    "Lambda.AWSLambdaException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.SdkClientException",
    "Lambda.ServiceException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "Sandbox.Timedout",
    "States.Timeout",
]
"""Errors of an invocation that broke off: what the function had done by then is not known."""
INTERFACE = {"NetworkAccessConfiguration": {"EniPrivateIpAddress": "10.0.0.4"}}


def fails(error: str, message: str = "It failed.") -> Invocation:
    """An error of Lambda or of the function's own code, or with a canonical code, as our functions raise it."""

    def fail(handler: Handler, event: Any) -> dict[str, Any]:
        if error == "States.Timeout":
            raise EvalTimeoutError
        foreign = "." in error or error.endswith("Error")
        return function_error(error, message if foreign else str(routed(error, message)))

    return fail


def returns(payload: bytes, **answer: Any) -> Invocation:
    return lambda handler, event: {"Payload": payload, **answer}


def finds(state: str, **members: Any) -> Invocation:
    """The function found the image builder in this state, and made no call."""
    builder = {"Name": BUILDER, "State": state, **members}
    return lambda handler, event: _payload(
        status_of(builder, event["Request"], event["Tracking"], event["WaitedSeconds"])
    )


def starts(state: str = "PENDING", lost: bool = False, **members: Any) -> Invocation:
    """The function called StartImageBuilder, and AppStream accepted it, or the answer was lost."""
    builder = {"Name": BUILDER, "State": state, **members}
    error = routed("ServiceUnavailableException", "No answer.", sent=True) if lost else None
    before = {"Name": BUILDER, "State": "STOPPED"}
    return lambda handler, event: _payload(
        status_of_start(builder, event["Request"], event["Tracking"], event["WaitedSeconds"], before=before, lost=error)
    )


def kills_after_its_work(handler: Handler, event: Any) -> dict[str, Any]:
    """The handler runs, and then times out."""
    run_handler(handler, event)
    return function_error("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 80.00 seconds")


def records(events: list[Any]) -> Invocation:
    """A plain run of the handler, whose event is recorded."""

    def record(handler: Handler, event: Any) -> dict[str, Any]:
        events.append(event)
        return run_handler(handler, event)

    return record


@contextmanager
def jitter(share: float) -> Iterator[None]:
    """Have all that is random come out at this share of its range."""
    with (
        patch("random.uniform", lambda low, high: low + share * (high - low)),
        patch("random.random", lambda: share),
    ):
        yield


def _payload(status: Mapping[str, Any]) -> dict[str, Any]:
    return {"Payload": json.dumps(status).encode()}
