"""Answers of the functions and pauses of the engine, scripted for a test."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError

from lambdas.image_builder.errors import routed
from lambdas.image_builder.state import status_of, status_of_start
from local.fake_appstream.faults import Fault
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Handler, Invocation, function_error, run_handler

VALIDATE, START, POLL, NOTIFY = "validate_request", "start_image_builder", "describe_image_builder", "notify_operators"


def fails(error: str, message: str = "It failed.") -> Invocation:
    """An error of Lambda or of the function's own code, or with a canonical code, as our functions raise it."""

    def fail(handler: Handler, event: Any) -> dict[str, Any]:
        if error == "States.Timeout":
            raise EvalTimeoutError
        foreign = "." in error or error.endswith("Error")
        return function_error(error, message if foreign else str(routed(error, message)))

    return fail


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


def records(events: list[Any]) -> Invocation:
    """A plain run of the handler, whose event is recorded."""

    def record(handler: Handler, event: Any) -> dict[str, Any]:
        events.append(event)
        return run_handler(handler, event)

    return record


def refused(operation: str, code: str = "InternalErrorException") -> ClientError:
    """What a service answers that Step Functions itself calls."""
    error = {"Code": code, "Message": "The service says no."}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "1"}}, operation)  # type: ignore[typeddict-item]  # what is read


def run(world: World, request: Any = None, **script: Sequence[Invocation]) -> Execution:
    """Run with the next answers of the functions scripted."""
    world.prepare({})
    world.engine.script = {function: list(invocations) for function, invocations in script.items()}
    return world.run({"Name": BUILDER, **(request or {})})


def answers(operation: str, code: str, times: int | None = None, skip: int = 0) -> dict[str, Any]:
    """A fault: AppStream answers an operation with an error code."""
    return {"operation": operation, "error": {"code": code, "message": f"{code}."}, "times": times, "skip": skip}


def add_fault(world: World, fault: Mapping[str, Any]) -> None:
    world.fake.faults.add(Fault.parse({"name": BUILDER, **fault}))


def pauses_of(world: World) -> list[float]:
    """The waits and the pauses before retries from now on, in seconds, as they come."""
    pauses: list[float] = []
    advance = world.engine.sleep

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        advance(seconds)

    world.engine.sleep = sleep
    return pauses


def after(world: World, seconds: float, action: Callable[[], object]) -> None:
    """Have something happen once so much time has passed."""
    moment, advance = world.clock.now() + seconds, world.engine.sleep

    def sleep(pause: float) -> None:
        nonlocal moment
        if world.clock.now() + pause >= moment:
            before = moment - world.clock.now()
            moment = float("inf")
            advance(before)
            action()
            advance(pause - before)
        else:
            advance(pause)

    world.engine.sleep = sleep


@contextmanager
def jitter(share: float) -> Iterator[None]:
    """Have all that is random come out at this share of its range."""
    with (
        patch("random.uniform", lambda low, high: low + share * (high - low)),
        patch("random.random", lambda: share),
    ):
        yield


def stops(world: World) -> int:
    """How many StopImageBuilder calls took effect."""
    return sum(call.effective for call in world.fake.calls if call.operation == "StopImageBuilder")


def state(world: World) -> str:
    found: str = world.fake.builder(BUILDER)["State"]
    return found


def _payload(status: Mapping[str, Any]) -> dict[str, Any]:
    return {"Payload": json.dumps(status).encode()}
