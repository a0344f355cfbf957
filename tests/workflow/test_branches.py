"""Each branch of the workflow by itself: its bounds, its numbers, its texts. docs/mutants.md tells how that is held.

Most answers of the functions are scripted here; what the functions make of AppStream is tested elsewhere.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import ANY, patch

import pytest
from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import EvalTimeoutError

from lambdas.image_builder.request import parse_request
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution, Handler, Invocation, function_error, run_handler

CHECK, START, LOOK = "validate_request", "start_image_builder", "describe_image_builder"


def fails(error: str, message: str = "It is the trouble.") -> Invocation:
    def fail(handler: Handler, event: Any) -> dict[str, Any]:
        if error == "States.Timeout":
            raise EvalTimeoutError
        return function_error(error, message)

    return fail


def refused(operation: str) -> ClientError:
    """What a service answers that Step Functions itself calls."""
    error = {"Code": "InternalErrorException", "Message": "The service says no."}
    return ClientError({"Error": error, "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "1"}}, operation)  # type: ignore[typeddict-item]  # what is read


def sees(phase: str, state: str = "ANY", *, started: bool = False) -> Invocation:
    look = {
        "Phase": phase,
        "Started": started,
        "AgentVersionBefore": None,
        "ImageBuilder": {"Name": BUILDER, "State": state},
        "Problem": {"Message": f"The problem of {state}.", "Advice": f"The advice for {state}."},
    }
    return lambda handler, event: {"Payload": json.dumps(look).encode()}


def noting(events: list[Any]) -> Invocation:
    """A plain run of the handler, whose event is kept."""

    def note(handler: Handler, event: Any) -> dict[str, Any]:
        events.append(event)
        return run_handler(handler, event)

    return note


def run(world: World, execution_input: Any = None, **script: Sequence[Invocation]) -> Execution:
    """Run with the next answers of the functions scripted."""
    world.prepare({})
    world.engine.script = {function: list(invocations) for function, invocations in script.items()}
    return world.run({"Name": BUILDER} if execution_input is None else execution_input)


def waits_of(world: World) -> list[float]:
    """The waits and the pauses before retries from now on, in seconds, as they come."""
    waits: list[float] = []
    advance = world.engine.sleep

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        advance(seconds)

    world.engine.sleep = sleep
    return waits


@contextmanager
def jitter(share: float) -> Iterator[None]:
    """Have all that is random come out at this share of its range."""
    with (
        patch("random.uniform", lambda low, high: low + share * (high - low)),
        patch("random.random", lambda: share),
    ):
        yield


# Variables


def test_every_variable_is_declared_before_the_first_branch(world: World) -> None:
    """But for what the branch that reads it has just assigned."""
    states = json.loads(world.engine.definition)["States"]
    declared = set(states["Read request"].get("Assign", {}))
    holders = [
        part for state in states.values() for part in (state, *state.get("Catch", []), *state.get("Choices", []))
    ]
    assert {name for holder in holders for name in holder.get("Assign", {})} - {"error", "failure", "cause"} == declared


# Retry: trouble that passes in seconds

OF_LAMBDA = [
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.Unknown",
    "Sandbox.Timedout",
    "Runtime.ExitError",
    "Runtime.OutOfMemory",
    "States.Timeout",
]
OF_APPSTREAM = [
    "AppStreamUnreachable",
    "UnexpectedResponse",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestLimitExceededException",
    "SlowDown",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "RequestAbortedException",
    "RequestTimeout",
    "RequestTimeoutException",
]
RETRIED = [
    *((CHECK, error) for error in OF_LAMBDA),
    *((function, error) for function in (START, LOOK) for error in (*OF_LAMBDA, *OF_APPSTREAM)),
]


@pytest.mark.parametrize(("function", "error"), RETRIED)
def test_a_passing_error_is_retried_four_times(world: World, function: str, error: str) -> None:
    execution = run(world, **{function: [fails(error)] * 4})
    assert execution.status == "SUCCEEDED", execution.error
    assert world.topic.messages == []


@pytest.mark.parametrize(
    ("function", "error"), [(CHECK, "Lambda.Unknown"), (START, "InternalError"), (LOOK, "InternalError")]
)
def test_the_fifth_time_a_passing_error_is_told(world: World, function: str, error: str) -> None:
    execution = run(world, **{function: [fails(error)] * 5})
    assert (execution.error, execution.cause["Route"]) == (error, "notify")
    assert execution.cause["Advice"].startswith("Read the message.")
    assert world.engine.script[function] == []


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("function", [CHECK, START, LOOK])
def test_the_pauses_before_retries_grow_from_5_seconds_with_full_jitter(
    world: World, function: str, share: float
) -> None:
    waits = waits_of(world)
    with jitter(share):
        run(world, **{START: [sees("Transitional")], LOOK: [], function: [fails("Lambda.Unknown")] * 5})
    before = [23] if function == LOOK else []
    assert waits == [*before, *(share * seconds for seconds in (5, 10, 20, 40))]


# What the functions are asked


def test_each_function_gets_the_request_and_the_execution(world: World) -> None:
    events: list[Any] = []
    execution = run(world, **{function: [noting(events)] for function in (CHECK, START, LOOK)})
    assert execution.status == "SUCCEEDED"
    request = parse_request({"Name": BUILDER})
    assert events == [
        {"Contract": "start", "Input": {"Name": BUILDER}, "Execution": ARN},
        {"Request": request, "Execution": ARN},
        {"Request": request, "Execution": ARN, "Started": True, "WaitedSeconds": 60},
    ]


# What a run that succeeds tells


def test_a_running_builder_is_reported_at_once(world: World) -> None:
    waits = waits_of(world)
    execution = run(world, start_image_builder=[sees("Running", "RUNNING")])
    assert execution.output == {
        "Outcome": "AlreadyRunning",
        "Started": False,
        "ImageBuilder": {"Name": BUILDER, "State": "RUNNING"},
        "Polls": 0,
        "WaitedSeconds": 0,
        "Advice": execution.output["Advice"],
    }
    assert "stop it when done" in execution.output["Advice"]
    assert waits == []


def test_a_start_that_is_up_at_once_is_no_builder_that_ran_already(world: World) -> None:
    execution = run(world, start_image_builder=[sees("Running", started=True)])
    assert (execution.output["Outcome"], execution.output["Started"]) == ("Running", True)


def test_a_start_of_someone_else_is_joined(world: World) -> None:
    execution = run(world, start_image_builder=[sees("Transitional")], describe_image_builder=[sees("Running")])
    told = {key: execution.output[key] for key in ("Outcome", "Started", "Polls", "WaitedSeconds")}
    assert told == {"Outcome": "Running", "Started": False, "Polls": 1, "WaitedSeconds": 23}


def test_a_start_that_was_seen_stopped_again_does_not_count_where_it_then_runs_by_somebody_else(world: World) -> None:
    answers = [sees("Transitional", started=True), sees("Running")]
    execution = run(world, start_image_builder=answers, describe_image_builder=[sees("Stopped")])
    assert execution.output["Started"] is False


def test_looks_and_waits_are_counted(world: World) -> None:
    # The double's everyday start takes 412 seconds.
    execution = run(world)
    assert (execution.output["Polls"], execution.output["WaitedSeconds"]) == (10, 60 + 180 + 8 * 23)


def test_a_look_that_fails_is_a_look(world: World) -> None:
    looks = [fails("ResourceInUseException"), fails("ResourceInUseException"), sees("Running")]
    execution = run(world, start_image_builder=[sees("Transitional")], describe_image_builder=looks)
    assert (execution.output["Polls"], execution.output["WaitedSeconds"]) == (3, 23 + 2 * 30)


# The deadline and the waits for a builder that is on its way


def stuck(world: World, minutes: int) -> tuple[Execution, list[float]]:
    waits = waits_of(world)
    execution = run(
        world,
        {"Name": BUILDER, "TimeoutMinutes": minutes},
        start_image_builder=[sees("Transitional", "PENDING")],
        describe_image_builder=[sees("Transitional", "PENDING")] * 200,
    )
    return execution, waits


@pytest.mark.parametrize("minutes", [5, 7, 60, 120])
def test_the_waits_grow_with_the_time_waited_and_end_at_the_deadline(world: World, minutes: int) -> None:
    execution, waits = stuck(world, minutes)
    expected: list[int] = []
    while sum(expected) < minutes * 60:
        expected.append(min(max(23, sum(expected) // 40), 300, minutes * 60 - sum(expected)))
    assert waits == expected
    assert execution.states.count("Poll image builder") == len(expected)
    assert (execution.error, len(world.topic.messages)) == ("ImageBuilderStartTimedOut", 1)


def test_what_a_run_says_at_its_deadline(world: World) -> None:
    execution, _ = stuck(world, 5)
    assert execution.cause["Route"] == "notify"
    assert execution.cause["Message"] == "The image builder is still PENDING after 5 minutes of waiting."
    assert execution.cause["Advice"].startswith("Poll image builder in the AppStream 2.0 console")
    assert execution.cause["ImageBuilder"] == {"Name": BUILDER, "State": "PENDING"}


@pytest.mark.parametrize(
    ("phase", "error"), [("Running", ""), ("Failed", "ImageBuilderFailed"), ("Deleting", "ImageBuilderDeleting")]
)
def test_the_look_at_the_deadline_still_decides(world: World, phase: str, error: str) -> None:
    execution = run(
        world,
        {"Name": BUILDER, "TimeoutMinutes": 5},
        start_image_builder=[sees("Transitional")],
        describe_image_builder=[*[sees("Transitional")] * 13, sees(phase)],
    )
    assert execution.error == error


def test_no_start_is_made_at_the_deadline(world: World) -> None:
    execution = run(
        world,
        {"Name": BUILDER, "TimeoutMinutes": 5},
        start_image_builder=[sees("Transitional")],
        describe_image_builder=[*[sees("Transitional")] * 13, sees("Stopped", "STOPPED")],
    )
    assert (execution.error, execution.states.count("Start image builder")) == ("ImageBuilderStartTimedOut", 1)


# The phases that end a run


@pytest.mark.parametrize("function", [START, LOOK])
def test_a_failed_builder_is_told_with_what_appstream_says_of_it(world: World, function: str) -> None:
    execution = run(world, **{START: [sees("Transitional")], function: [sees("Failed", "FAILED")]})
    assert (execution.error, len(world.topic.messages)) == ("ImageBuilderFailed", 1)
    assert execution.cause == {
        "Name": BUILDER,
        "Route": "notify",
        "Message": "The problem of FAILED.",
        "Advice": "The advice for FAILED.",
        "ImageBuilder": {"Name": BUILDER, "State": "FAILED"},
        "OperatorsNotified": True,
    }


@pytest.mark.parametrize("function", [START, LOOK])
def test_a_builder_that_is_deleted_fails_the_start(world: World, function: str) -> None:
    execution = run(world, **{START: [sees("Transitional")], function: [sees("Deleting", "DELETING")]})
    assert (execution.error, len(world.topic.messages)) == ("ImageBuilderDeleting", 1)
    assert execution.cause["Route"] == "fail"
    assert execution.cause["Message"] == "The image builder is being deleted."
    assert execution.cause["Advice"].startswith("Name another image builder")


def test_a_builder_that_falls_back_to_stopped_is_started_five_times(world: World) -> None:
    waits = waits_of(world)
    execution = run(world, start_image_builder=[sees("Stopped", "STOPPED")] * 5)
    assert (execution.error, len(world.topic.messages)) == ("ImageBuilderFailed", 1)
    assert execution.states.count("Start image builder") == 5
    assert execution.cause["Route"] == "notify"
    assert (
        execution.cause["Message"]
        == "The image builder is STOPPED again after 5 attempts to start it. The problem of STOPPED."
    )
    assert execution.cause["Advice"].startswith("Find out whether someone stops the image builder")
    assert execution.cause["Advice"].endswith("its start fails. The advice for STOPPED.")
    assert waits == []


def test_the_fifth_start_may_succeed(world: World) -> None:
    execution = run(world, start_image_builder=[*[sees("Stopped")] * 4, sees("Running")])
    assert execution.status == "SUCCEEDED"


def test_a_builder_on_its_way_is_waited_for_after_the_last_attempt(world: World) -> None:
    answers = [*[sees("Stopped")] * 4, sees("Transitional", started=True)]
    execution = run(world, start_image_builder=answers, describe_image_builder=[sees("Running")])
    assert execution.status == "SUCCEEDED"


def test_a_start_that_finds_the_builder_on_its_way_is_no_attempt(world: World) -> None:
    starts = [*[sees("Transitional")] * 6, sees("Running")]
    execution = run(world, start_image_builder=starts, describe_image_builder=[sees("Stopped")] * 6)
    assert execution.status == "SUCCEEDED"


# Route error

GENERIC = "Read the message. If AppStream or Lambda was busy"
MEND = "AppStream refused a value of the request: mend"
DEPLOYMENT = "Mend the deployment: the role of the function"
ROUTES: Mapping[str, tuple[str, str]] = {
    "InvalidRequest": ("fail", "Mend the fields that the message names"),
    "ValidationException": ("fail", MEND),
    "ValidationError": ("fail", MEND),
    "InvalidParameterCombinationException": ("fail", MEND),
    "InvalidParameterCombination": ("fail", MEND),
    "InvalidParameterValue": ("fail", MEND),
    "InvalidParameterException": ("fail", MEND),
    "MissingParameter": ("fail", MEND),
    "ResourceNotFoundException": ("fail", "Check Name: there is no such image builder"),
    "IncompatibleImageException": ("fail", "Choose another image builder"),
    "InvalidAccountStatusException": ("notify", "The AWS account is not in good standing"),
    "AccessDenied": ("notify", DEPLOYMENT),
    "AccessDeniedException": ("notify", DEPLOYMENT),
    "UnauthorizedOperation": ("notify", DEPLOYMENT),
    "NotAuthorized": ("notify", DEPLOYMENT),
    "ExpiredToken": ("notify", DEPLOYMENT),
    "ExpiredTokenException": ("notify", DEPLOYMENT),
    "IncompleteSignature": ("notify", DEPLOYMENT),
    "InvalidClientTokenId": ("notify", DEPLOYMENT),
    "InvalidSignatureException": ("notify", DEPLOYMENT),
    "MissingAuthenticationToken": ("notify", DEPLOYMENT),
    "MissingAuthenticationTokenException": ("notify", DEPLOYMENT),
    "OptInRequired": ("notify", DEPLOYMENT),
    "RequestExpired": ("notify", DEPLOYMENT),
    "SignatureDoesNotMatch": ("notify", DEPLOYMENT),
    "UnrecognizedClient": ("notify", DEPLOYMENT),
    "UnrecognizedClientException": ("notify", DEPLOYMENT),
    "NobodyHasHeardOfThisException": ("notify", GENERIC),
}


@pytest.mark.parametrize("error", ROUTES)
@pytest.mark.parametrize("function", [CHECK, START, LOOK])
def test_an_error_that_does_not_pass_ends_the_run_at_once(world: World, function: str, error: str) -> None:
    route, advice = ROUTES[error]
    waits = waits_of(world)
    execution = run(world, **{START: [sees("Transitional")], function: [fails(error, "So it is.")]})
    assert (execution.status, execution.error, execution.cause["Route"]) == ("FAILED", error, route)
    assert execution.cause["Name"] == BUILDER
    assert execution.cause["Message"] == "So it is."
    assert execution.cause["Advice"].startswith(advice)
    assert ("ImageBuilder" in execution.cause) is (function == LOOK)
    assert len(world.topic.messages) == 1
    assert waits == ([23] if function == LOOK else [])


BUSY = "Another operation holds the image builder"
THROTTLED = [
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "RequestLimitExceededException",
    "SlowDown",
]
AT_THE_END = {
    "ConcurrentModificationException": BUSY,
    "OperationNotPermittedException": BUSY,
    "ResourceInUseException": BUSY,
    "ResourceNotAvailableException": "Check that the image of the builder still exists",
}
IN_MINUTES = ["ConcurrentModificationException", "ResourceNotAvailableException"]
LOOK_AGAIN = ["OperationNotPermittedException", "ResourceInUseException"]


@pytest.mark.parametrize("error", AT_THE_END)
def test_the_fifth_attempt_that_meets_such_an_error_is_the_last(world: World, error: str) -> None:
    execution = run(world, start_image_builder=[fails(error)] * 5)
    assert (execution.error, execution.cause["Route"], len(world.topic.messages)) == (error, "notify", 1)
    assert execution.cause["Advice"].startswith(AT_THE_END[error])
    assert execution.states.count("Start image builder") == 5


@pytest.mark.parametrize("error", AT_THE_END)
def test_such_an_error_of_the_check_is_told_at_once(world: World, error: str) -> None:
    # There is no deadline yet.
    waits = waits_of(world)
    execution = run(world, validate_request=[fails(error)])
    assert (execution.error, waits, len(world.topic.messages)) == (error, [], 1)


@pytest.mark.parametrize("error", IN_MINUTES)
@pytest.mark.parametrize(
    ("share", "seconds"),
    [(0, [90, 180, 360, 450]), (0.5, [120, 240, 480, 600]), (1, [150, 300, 600, 750]), (0.011, [91, 181, 363, 453])],
)
def test_trouble_of_minutes_is_waited_out_ever_longer(
    world: World, error: str, share: float, seconds: Sequence[int]
) -> None:
    waits = waits_of(world)
    with jitter(share):
        execution = run(world, start_image_builder=[*[fails(error)] * 4, sees("Running")])
    assert waits == seconds
    assert execution.output["WaitedSeconds"] == sum(seconds)
    assert execution.output["Polls"] == 0


@pytest.mark.parametrize("error", THROTTLED)
@pytest.mark.parametrize("function", [START, LOOK])
def test_throttling_that_outlasts_the_retries_is_waited_out_in_minutes(world: World, function: str, error: str) -> None:
    waits = waits_of(world)
    script = {START: [sees("Transitional")], function: [*[fails(error)] * 5, sees("Running")]}
    if function == LOOK:
        script[START].append(sees("Running"))
    with jitter(0.5):
        execution = run(world, **script)
    assert execution.status == "SUCCEEDED", execution.error
    assert waits[-1] == (120 if function == START else 60)


@pytest.mark.parametrize("error", THROTTLED)
def test_throttling_at_five_attempts_is_told(world: World, error: str) -> None:
    execution = run(world, start_image_builder=[fails(error)] * 25)
    assert (execution.error, execution.cause["Route"], len(world.topic.messages)) == (error, "notify", 1)
    assert execution.cause["Advice"].startswith("AppStream throttles the calls of this account")
    assert execution.states.count("Start image builder") == 5


@pytest.mark.parametrize("error", LOOK_AGAIN)
def test_a_builder_that_was_not_stopped_is_looked_at_after_30_seconds(world: World, error: str) -> None:
    waits = waits_of(world)
    looks = [*[sees("Stopped")] * 3, sees("Running")]
    execution = run(world, start_image_builder=[fails(error)] * 4, describe_image_builder=looks)
    assert waits == [30, 30, 30, 30]
    assert (execution.output["WaitedSeconds"], execution.output["Polls"]) == (120, 4)


# With jitter(0.1) the pauses of minutes are four fifths of 2 and 4 minutes; 12 seconds of the 5 minutes are left then.
FOR_288_SECONDS = [fails("ResourceNotAvailableException")] * 2
FIVE_MINUTES = {"Name": BUILDER, "TimeoutMinutes": 5}


@pytest.mark.parametrize("error", AT_THE_END)
def test_the_wait_after_an_error_ends_at_the_deadline(world: World, error: str) -> None:
    waits = waits_of(world)
    with jitter(0.1):
        execution = run(
            world,
            FIVE_MINUTES,
            start_image_builder=[*FOR_288_SECONDS, fails(error), sees("Stopped", "STOPPED")],
            describe_image_builder=[sees("Stopped", "STOPPED")],
        )
    assert waits == [96, 192, 12]
    assert execution.error == "ImageBuilderStartTimedOut"
    assert execution.cause["Message"].startswith("The image builder is still STOPPED after 5 minutes")


@pytest.mark.parametrize("error", AT_THE_END)
def test_an_error_at_the_deadline_is_told(world: World, error: str) -> None:
    waits = waits_of(world)
    with jitter(0.1):
        trouble = [*FOR_288_SECONDS, fails("ResourceNotAvailableException"), fails(error)]
        execution = run(world, FIVE_MINUTES, start_image_builder=trouble)
    assert waits == [96, 192, 12]
    assert (execution.error, len(world.topic.messages)) == (error, 1)


# Read error


def test_the_message_of_a_function_is_kept_up_to_8000_characters(world: World) -> None:
    message = "".join(str(number) for number in range(3_000))
    execution = run(world, start_image_builder=[fails("Odd", message)])
    assert execution.cause["Message"] == message[:8_000]


def test_a_cause_that_is_no_json_is_the_message(world: World) -> None:
    def not_invoked(handler: Handler, event: Any) -> dict[str, Any]:
        raise refused("Invoke")

    execution = run(world, start_image_builder=[not_invoked])
    assert execution.error == "Lambda.InternalErrorException"
    assert execution.cause["Message"].startswith("The service says no. (Service")


@pytest.mark.parametrize("payload", [b'{"errorType": "Odd", "errorMessage": ""}'])
def test_an_error_without_a_message_says_so(world: World, payload: bytes) -> None:
    answer = {"FunctionError": "Unhandled", "Payload": payload}
    execution = run(world, start_image_builder=[lambda handler, event: answer])
    assert execution.cause["Message"] == "No cause was given for Odd."


def test_an_error_of_step_functions_ends_it_under_a_name_that_a_fail_state_may_have(world: World) -> None:
    execution = run(world, start_image_builder=[fails("States.Timeout")] * 5)
    assert (execution.error, execution.cause["Route"]) == ("StatesTimeout", "notify")
    assert execution.cause["Message"] == "No cause was given for States.Timeout."
    assert len(world.topic.messages) == 1


# Read request: the name, whatever else is wrong with the input


@pytest.mark.parametrize(
    ("execution_input", "name"),
    [
        ({"Name": BUILDER, "Nmae": 1}, BUILDER),
        ({"Name": "n" * 101, "Nmae": 1}, "n" * 101),
        ({"Name": "n" * 102}, "n" * 101),
        ({"detail-type": "Start", "detail": {"Name": BUILDER, "Nmae": 1}}, BUILDER),
        ({"detail-type": "Start", "detail": {"Name": "n" * 101, "Nmae": 1}}, "n" * 101),
        ({"detail-type": "Start", "detail": {"Name": "n" * 102}}, "n" * 101),
        ({"Name": 7}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_refused_request_is_named(world: World, execution_input: Any, name: str | None) -> None:
    execution = run(world, execution_input)
    assert execution.error == "InvalidRequest"
    assert execution.cause["Name"] == name
    assert set(execution.cause) == {"Name", "Route", "Message", "Advice", "OperatorsNotified"}


def test_the_name_is_known_when_the_check_cannot_run(world: World) -> None:
    execution = run(world, {"detail-type": "Start", "detail": {"Name": BUILDER}}, validate_request=[fails("Odd")])
    assert execution.cause["Name"] == BUILDER
    assert f"Image builder {BUILDER} did not start" in world.topic.messages[0]["Message"]


# Notify operators, Notify of success

TRIES = 7
TELL = "notify_operators"
TELLS = {
    "a failure": ({"start_image_builder": [fails("Odd", "So it is.")]}, {"Name": BUILDER}),
    "a success": ({}, {"Name": BUILDER, "NotifyOnSuccess": True}),
}


def test_a_failure_is_told_in_the_form_of_its_event(world: World) -> None:
    told: list[Any] = []
    execution = run(world, start_image_builder=[fails("Odd", "So it is.")], notify_operators=[noting(told)])
    assert told == [
        {
            "detail": {
                "executionArn": ARN,
                "status": "FAILED",
                "error": "Odd",
                "cause": {
                    "Name": BUILDER,
                    "Route": "notify",
                    "Message": "So it is.",
                    "Advice": execution.cause["Advice"],
                },
            }
        }
    ]
    assert execution.cause == told[0]["detail"]["cause"] | {"OperatorsNotified": True}


def test_a_failure_of_a_builder_that_was_seen_is_told_with_it(world: World) -> None:
    told: list[Any] = []
    world.prepare({"state": "FAILED"})
    world.engine.script = {TELL: [noting(told)]}
    execution = world.run({"Name": BUILDER})
    assert told[0]["detail"]["cause"]["ImageBuilder"] == execution.cause["ImageBuilder"]
    assert execution.cause["ImageBuilder"]["State"] == "FAILED"


def test_a_success_is_told_only_where_the_request_wants_it(world: World) -> None:
    told: list[Any] = []
    execution = run(world, {"Name": BUILDER, "NotifyOnSuccess": True}, notify_operators=[noting(told)])
    assert told == [
        {
            "detail": {
                "executionArn": ARN,
                "status": "SUCCEEDED",
                "output": {
                    key: execution.output[key] for key in ("Started", "ImageBuilder", "WaitedSeconds", "Advice")
                },
            }
        }
    ]
    assert len(world.topic.messages) == 1
    assert run(world, {"Name": BUILDER}).status == "SUCCEEDED"
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("what", TELLS)
def test_telling_is_tried_seven_times(world: World, what: str, share: float) -> None:
    script, execution_input = TELLS[what]
    waits = waits_of(world)
    world.topic.errors = [refused("Publish")] * (TRIES - 1)
    with jitter(share):
        run(world, execution_input, **script)
    assert waits[-6:] == [share * seconds for seconds in (5, 10, 20, 40, 60, 60)]
    assert len(world.topic.messages) == 1


def test_a_failure_that_the_workflow_could_not_tell_is_told_by_its_event(world: World) -> None:
    world.topic.errors = [refused("Publish")] * TRIES
    execution = run(world, start_image_builder=[fails("Odd", "So it is.")])
    assert (execution.status, execution.error) == ("FAILED", "Odd")
    assert execution.cause["OperatorsNotified"] is False
    assert execution.cause["Message"] == "So it is."
    (message,) = world.topic.messages
    assert "So it is." in message["Message"]


def test_a_success_that_cannot_be_told_is_a_success(world: World) -> None:
    world.topic.errors = [refused("Publish")] * TRIES
    execution = run(world, {"Name": BUILDER, "NotifyOnSuccess": True})
    assert (execution.status, execution.output["Outcome"]) == ("SUCCEEDED", "Running")
    assert world.topic.messages == []


# The agent


def test_the_agent_is_reported_where_a_version_was_asked_for(world: World) -> None:
    world.prepare({"members": {"AppstreamAgentVersion": "05-08-2025"}})
    execution = world.run({"Name": BUILDER, "AppstreamAgentVersion": "LATEST"})
    agent = execution.output["Agent"]
    assert {key: agent[key] for key in ("Requested", "Before", "After", "LatestAppstreamAgentVersion")} == {
        "Requested": "LATEST",
        "Before": "05-08-2025",
        "After": "09-10-2025",
        "LatestAppstreamAgentVersion": "TRUE",
    }
    assert [step["State"] for step in agent["Progress"]] == ["PENDING", "UPDATING_AGENT", "RUNNING"]
    waited = [step["WaitedSeconds"] for step in agent["Progress"]]
    assert waited == sorted(waited)
    assert waited[0] == 0
    assert waited[-1] == execution.output["WaitedSeconds"]


def test_the_version_before_is_that_of_before_the_first_attempt(world: World) -> None:
    looks = [
        {"Phase": phase, "Started": True, "AgentVersionBefore": before, "ImageBuilder": {"State": state}, "Problem": {}}
        for phase, before, state in [("Stopped", "1", "STOPPED"), ("Running", "2", "RUNNING")]
    ]
    script: list[Invocation] = [lambda handler, event: {"Payload": json.dumps(looks.pop(0)).encode()}] * 2
    execution = run(world, {"Name": BUILDER, "AppstreamAgentVersion": "3"}, start_image_builder=script)
    # AppStream need not say what became of it.
    assert execution.output["Agent"] == {
        "Requested": "3",
        "Before": "1",
        "Progress": [{"State": "STOPPED", "WaitedSeconds": 0}, {"State": "RUNNING", "WaitedSeconds": 0}],
    }


def test_a_state_that_goes_on_is_one_step_of_the_progress(world: World) -> None:
    execution = run(
        world,
        {"Name": BUILDER, "AppstreamAgentVersion": "3"},
        start_image_builder=[sees("Transitional", "A"), sees("Transitional", "A"), sees("Transitional", "B")],
        describe_image_builder=[
            sees("Stopped", "A"),
            sees("Stopped", "B"),
            sees("Transitional", "B"),
            sees("Running", "C"),
        ],
    )
    assert execution.output["Agent"]["Progress"] == [
        {"State": "A", "WaitedSeconds": 0},
        {"State": "B", "WaitedSeconds": 46},
        {"State": "C", "WaitedSeconds": 92},
    ]


# The dry run


@pytest.mark.parametrize(
    ("phase", "route", "why"),
    [
        ("Stopped", "start", "It is STOPPED: a run would start it."),
        ("Running", "done", "It is RUNNING: a run would report that and do nothing."),
        ("Transitional", "wait", "It is ANY: a run would wait for it, and start it if it comes to be STOPPED."),
        ("Failed", "notify", "A FAILED image builder cannot be started: a run would fail as ImageBuilderFailed."),
        ("Deleting", "fail", "It is being deleted: a run would fail as ImageBuilderDeleting."),
    ],
)
def test_a_dry_run_says_what_a_run_would_do_and_why(world: World, phase: str, route: str, why: str) -> None:
    execution = run(world, {"Name": BUILDER, "DryRun": True}, start_image_builder=[sees(phase, "ANY")])
    assert execution.output == {
        "Outcome": "DryRun",
        "WouldStart": phase == "Stopped",
        "Route": route,
        "Why": why,
        "ImageBuilder": {"Name": BUILDER, "State": "ANY"},
    }


def test_a_success_is_announced_once_with_what_the_next_workflow_needs(world: World) -> None:
    execution = run(world, start_image_builder=[sees("Running", "RUNNING")])
    (entry,) = world.engine.announced
    assert {**entry, "Resources": ANY} == {
        "EventBusName": "default",
        "Source": "start-image-builder",
        "DetailType": "Image Builder Running",
        "Resources": ANY,
        "Detail": {
            "Execution": ARN,
            "Name": BUILDER,
            "Outcome": "AlreadyRunning",
            "Started": False,
            "ImageBuilder": execution.output["ImageBuilder"],
        },
    }


def test_a_failure_is_announced_once_with_its_cause(world: World) -> None:
    execution = run(world, start_image_builder=[sees("Deleting", "DELETING")])
    (entry,) = world.engine.announced
    cause = {key: value for key, value in execution.cause.items() if key != "OperatorsNotified"}
    assert entry["DetailType"] == "Image Builder Start Failed"
    assert entry["Detail"] == {"Execution": ARN, "Error": "ImageBuilderDeleting", **cause}


@pytest.mark.parametrize("phase", ["Running", "Deleting"])
def test_an_announcement_is_tried_seven_times_and_changes_nothing_when_it_fails(world: World, phase: str) -> None:
    expected = run(World.new(), start_image_builder=[sees(phase)])
    world.engine.announce_errors = [refused("PutEvents")] * (TRIES - 1)
    with jitter(1):
        assert run(world, start_image_builder=[sees(phase)]).status == expected.status
    assert len(world.engine.announced) == 1
    world.engine.announce_errors = [refused("PutEvents")] * TRIES
    again = run(world, start_image_builder=[sees(phase)])
    assert (again.status, again.output, again.error, again.cause_text) == (
        expected.status,
        expected.output,
        expected.error,
        expected.cause_text,
    )
    assert len(world.engine.announced) == 1


def test_a_dry_run_announces_nothing(world: World) -> None:
    run(world, {"Name": BUILDER, "DryRun": True})
    assert world.engine.announced == []
