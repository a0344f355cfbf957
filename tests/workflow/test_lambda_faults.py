"""Faults of Lambda itself: a function fails, hangs, dies or is throttled, before or after the start took effect."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Handler, Invocation, function_error, run_handler

FUNCTIONS = ["validate_request", "start_image_builder", "describe_image_builder"]
RETRIES = 4


def fails(kind: str) -> Invocation:
    return lambda handler, event: function_error(kind, f"{kind} befell the function")


def throttled(handler: Handler, event: Any) -> dict[str, Any]:
    raise ClientError(
        {
            "Error": {"Code": "TooManyRequestsException", "Message": "Rate Exceeded."},
            "ResponseMetadata": {"HTTPStatusCode": 429, "RequestId": "1"},  # type: ignore[typeddict-item]  # what is read
        },
        "Invoke",
    )


def killed_after_its_work(handler: Handler, event: Any) -> dict[str, Any]:
    run_handler(handler, event)
    return function_error("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 60.00 seconds")


PASSING: dict[str, Invocation] = {
    **{
        kind: fails(kind)
        for kind in (
            "Lambda.Unknown",
            "Sandbox.Timedout",
            "Runtime.ExitError",
            "Runtime.OutOfMemory",
            "Lambda.ServiceException",
            "Lambda.AWSLambdaException",
            "Lambda.SdkClientException",
            "Lambda.ClientExecutionTimeoutException",
        )
    },
    "throttled": throttled,
}


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_fault_is_retried(world: World, function: str, fault: str) -> None:
    world.prepare({})
    world.engine.script[function] = [PASSING[fault]] * RETRIES
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.starts) == ("SUCCEEDED", 1)


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_stays_is_told(world: World, function: str, fault: str) -> None:
    world.prepare({})
    world.engine.script[function] = [PASSING[fault]] * (RETRIES + 1)
    run = world.outcome(world.run({"Name": BUILDER}))
    assert run.status == "FAILED"
    assert run.error == ("Lambda.TooManyRequestsException" if fault == "throttled" else fault)
    assert run.cause["Route"] == "notify"
    assert run.cause["Name"] == BUILDER
    assert len(run.messages) == 1


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("kind", ["Runtime.ImportModuleError", "KeyError", "Function.ResponseSizeTooLarge"])
def test_a_fault_of_the_code_is_told_at_once(world: World, function: str, kind: str) -> None:
    world.prepare({})
    world.engine.script[function] = [fails(kind)]
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.error, run.cause["Route"], len(run.messages)) == ("FAILED", kind, "notify", 1)


def test_a_start_whose_function_was_killed_is_joined(world: World) -> None:
    world.prepare({})
    world.engine.script["start_image_builder"] = [killed_after_its_work]
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.starts, run.output["Started"]) == ("SUCCEEDED", 1, False)


@pytest.mark.parametrize(
    "cause",
    [
        lambda: {"FunctionError": "Unhandled", "Payload": b'{"errorType": "Odd"}'},
        lambda: {"FunctionError": "Unhandled", "Payload": b'{"errorType": "Odd", "errorMessage": "\\"}{\\u0000"}'},
        lambda: {"FunctionError": "Unhandled", "Payload": b'"no object"'},
        lambda: {"FunctionError": "Unhandled", "Payload": b'{"errorType": "Odd", "errorMessage": ""}'},
        lambda: {"FunctionError": "Unhandled", "Payload": b'{"errorType": "Odd", "errorMessage": null}'},
        lambda: {"FunctionError": "Unhandled", "Payload": b'{"errorType": "Odd", "errorMessage": {"a": 1}}'},
        lambda: function_error("Odd", "x" * 100_000),
    ],
)
def test_an_error_without_a_readable_message_is_told_all_the_same(
    world: World, cause: Callable[[], dict[str, Any]]
) -> None:
    world.prepare({})
    world.engine.script["start_image_builder"] = [lambda handler, event: cause()]
    run = world.outcome(world.run({"Name": BUILDER}))
    assert run.status == "FAILED"
    assert run.error in ("Odd", "Exception")
    assert isinstance(run.cause["Message"], str)
    assert len(run.cause["Message"]) <= 8_000
    assert len(run.messages) == 1


GARBLED = [b"null", b"[]", b"{}", b'"text"', b'{"Phase": "Dreaming"}']


@pytest.mark.parametrize("payload", GARBLED)
def test_a_garbled_look_is_looked_past(world: World, payload: bytes) -> None:
    world.prepare({})
    world.engine.script["describe_image_builder"] = [lambda handler, event: {"Payload": payload}]
    run = world.outcome(world.run({"Name": BUILDER}))
    assert (run.status, run.starts) == ("SUCCEEDED", 1)


@pytest.mark.parametrize("payload", GARBLED)
def test_garbled_payloads_for_ever_end_the_run_and_somebody_is_told(world: World, payload: bytes) -> None:
    world.prepare({"state": "PENDING"})
    world.engine.script = {function: [lambda handler, event: {"Payload": payload}] * 100 for function in FUNCTIONS[1:]}
    run = world.outcome(world.run({"Name": BUILDER, "TimeoutMinutes": 5}))
    assert run.status == "FAILED"
    assert run.cause["Name"] == BUILDER
    assert len(run.messages) == 1
