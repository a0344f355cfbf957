"""Faults of Lambda itself: a function fails, hangs, dies or is throttled, before or after the call took effect."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import Handler, Invocation, function_error, run_handler
from tests.workflow.scripted import POLL, START, VALIDATE, fails

RETRIES = 4


def lambda_refuses(code: str, status: int) -> Invocation:
    def refuse(handler: Handler, event: Any) -> dict[str, Any]:
        error: Any = {
            "Error": {"Code": code, "Message": "Not now."},
            "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "1"},
        }
        raise ClientError(error, "Invoke")

    return refuse


def killed_after_its_work(handler: Handler, event: Any) -> dict[str, Any]:
    run_handler(handler, event)
    return function_error("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 80.00 seconds")


# Invoke's own errors, but for those of a wrong request. Source: AWS Lambda API reference, Invoke.
OF_INVOKE: dict[str, int] = {
    "TooManyRequestsException": 429,
    "CodeArtifactUserPendingException": 409,
    "ResourceConflictException": 409,
    "EC2ThrottledException": 502,
    "EC2UnexpectedException": 502,
    "EFSIOException": 410,
    "EFSMountTimeoutException": 408,
    "ENILimitReachedException": 502,
    "KMSAccessDeniedException": 502,
    "ResourceNotReadyException": 502,
    "ServiceException": 500,
    "SnapStartNotReadyException": 409,
    "SubnetIPAddressLimitReachedException": 502,
}
TRANSIENT: dict[str, Invocation] = {
    **{code: lambda_refuses(code, status) for code, status in OF_INVOKE.items()},
    **{kind: fails(kind) for kind in ("Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError")},
}


@pytest.mark.parametrize("function", [VALIDATE, START, POLL])
@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_transient_fault_is_survived(world: World, function: str, fault: str) -> None:
    world.prepare({})
    world.engine.script[function] = [TRANSIENT[fault]] * RETRIES
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert (outcome.status, outcome.starts, outcome.messages) == ("SUCCEEDED", 1, [])


@pytest.mark.parametrize("function", [VALIDATE, START])
@pytest.mark.parametrize("fault", TRANSIENT)
def test_a_fault_that_stays_notifies(world: World, function: str, fault: str) -> None:
    world.prepare({})
    world.engine.script[function] = [TRANSIENT[fault]] * 25
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert outcome.status == "FAILED"
    assert fault in outcome.error
    assert (outcome.cause["Route"], outcome.cause["Name"], len(outcome.messages)) == ("notify", BUILDER, 1)


@pytest.mark.parametrize("function", [VALIDATE, START, POLL])
@pytest.mark.parametrize("kind", ["Runtime.ImportModuleError", "KeyError", "Function.ResponseSizeTooLarge"])
def test_a_fault_of_the_code_notifies(world: World, function: str, kind: str) -> None:
    world.prepare({})
    world.engine.script[function] = [fails(kind)] * 200
    outcome = world.outcome(world.run({"Name": BUILDER, "TimeoutMinutes": 5}))
    error = "ImageBuilderStartTimedOut" if function == POLL and "." in kind else kind
    assert (outcome.status, outcome.error, outcome.cause["Route"]) == ("FAILED", error, "notify")
    assert kind in outcome.messages[0]
    assert len(outcome.messages) == 1


def test_a_start_whose_function_was_killed_is_presumed_and_gets_its_auto_stop(world: World) -> None:
    world.prepare({})
    world.engine.script[START] = [killed_after_its_work]
    outcome = world.outcome(world.run({"Name": BUILDER, "StopAfterMinutes": 5}))
    assert (outcome.status, outcome.starts, outcome.output["Started"]) == ("SUCCEEDED", 1, False)
    assert outcome.output["AutoStop"]["Execution"]


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
        lambda: function_error("Odd", "{maintenance window}"),
    ],
)
def test_an_error_without_a_readable_message_notifies_all_the_same(
    world: World, cause: Callable[[], dict[str, Any]]
) -> None:
    world.prepare({})
    world.engine.script[START] = [lambda handler, event: cause()] * 5
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert outcome.status == "FAILED"
    assert outcome.error in ("Odd", "Exception")
    assert isinstance(outcome.cause["Message"], str)
    assert len(outcome.cause["Message"]) <= 8_000
    assert len(outcome.messages) == 1


GARBLED = [b"null", b"[]", b"{}", b'"text"', b'{"Phase": "Dreaming"}']


@pytest.mark.parametrize("payload", GARBLED)
def test_a_poll_that_returns_garbage_is_a_failed_poll(world: World, payload: bytes) -> None:
    world.prepare({})
    world.engine.script[POLL] = [lambda handler, event: {"Payload": payload}]
    outcome = world.outcome(world.run({"Name": BUILDER}))
    assert (outcome.status, outcome.starts) == ("SUCCEEDED", 1)


@pytest.mark.parametrize("payload", GARBLED)
def test_garbage_for_ever_ends_the_execution_and_notifies(world: World, payload: bytes) -> None:
    world.prepare({"state": "PENDING"})
    world.engine.script = {function: [lambda handler, event: {"Payload": payload}] * 100 for function in (START, POLL)}
    outcome = world.outcome(world.run({"Name": BUILDER, "TimeoutMinutes": 5}))
    assert (outcome.status, outcome.cause["Name"], len(outcome.messages)) == ("FAILED", BUILDER, 1)
