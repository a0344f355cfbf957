"""Each branch of the workflow that starts: its limits, its numbers, its texts."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from lambdas.image_builder.errors import errors
from lambdas.image_builder.request import parse_request
from tests.scenarios import BUILDER
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution, Handler, function_error
from tests.workflow.scripted import (
    POLL,
    START,
    VALIDATE,
    fails,
    finds,
    jitter,
    pauses_of,
    records,
    refused,
    run,
    starts,
)

GENERAL = "Read the message. If AWS was busy"
FIVE_MINUTES = {"TimeoutMinutes": 5}
TRANSIENT = [
    "ConcurrentModificationException",
    "OperationNotPermittedException",
    "ResourceNotAvailableException",
    "ServiceUnavailableException",
    "ThrottlingException",
]
PERMANENT = [code for code in errors() if code not in (*TRANSIENT, "Unknown", "InvalidRequest")]


def test_every_variable_is_declared_before_the_first_branch(world: World) -> None:
    """But for what the branch that reads it has just assigned."""
    states = json.loads(world.engine.definition)["States"]
    declared = set(states["Read request"]["Assign"])
    holders = [
        part for state in states.values() for part in (state, *state.get("Catch", []), *state.get("Choices", []))
    ]
    assert {name for holder in holders for name in holder.get("Assign", {})} - {"failure", "cause"} <= declared


# Retry: seconds


@pytest.mark.parametrize(
    ("function", "error"),
    [
        (VALIDATE, "Lambda.Unknown"),
        (VALIDATE, "Lambda.ResourceConflictException"),
        (START, "Lambda.CodeArtifactUserPendingException"),
        (START, "Lambda.TooManyRequestsException"),
        (START, "ThrottlingException"),
        (START, "ServiceUnavailableException"),
        (START, "SomethingNewException"),
    ],
)
def test_a_transient_error_is_retried_four_times(world: World, function: str, error: str) -> None:
    pauses = pauses_of(world)
    with jitter(0.5):
        execution = run(world, **{START: [finds("RUNNING")], function: [*[fails(error)] * 4]})
    assert execution.status == "SUCCEEDED", execution.error
    assert pauses[:4] == [2.5, 5, 10, 20]
    assert world.topic.messages == []


@pytest.mark.parametrize(("function", "error"), [(VALIDATE, "Lambda.Unknown"), (START, "SomethingNewException")])
def test_the_fifth_time_the_operators_are_notified(world: World, function: str, error: str) -> None:
    execution = run(world, **{function: [fails(error)] * 5})
    assert (execution.error, execution.cause["Route"], len(world.topic.messages)) == (error, "notify", 1)
    assert world.engine.script[function] == []


# What the functions get


def test_each_function_gets_the_request_the_tracking_and_the_execution(world: World) -> None:
    events: list[Any] = []
    execution = run(world, **{function: [records(events)] for function in (VALIDATE, START, POLL)})
    assert execution.status == "SUCCEEDED"
    request = parse_request({"Name": BUILDER})
    tracking = events[2].pop("Tracking")
    assert (tracking["Claim"], tracking["Progress"]) == ("Confirmed", [{"State": "PENDING", "WaitedSeconds": 0}])
    assert events == [
        {"Contract": "start", "Input": {"Name": BUILDER}, "Execution": ARN},
        {"Request": request, "Execution": ARN, "Tracking": {"Claim": "None"}, "WaitedSeconds": 0},
        {"Contract": "start", "Request": request, "Execution": ARN, "WaitedSeconds": 60},
    ]


# Success


def test_a_running_builder_is_returned_at_once(world: World) -> None:
    pauses = pauses_of(world)
    execution = run(world, start_image_builder=[finds("RUNNING")])
    assert execution.output == {
        "Outcome": "AlreadyRunning",
        "Started": False,
        "ImageBuilder": {"Name": BUILDER, "State": "RUNNING"},
        "Polls": 0,
        "WaitedSeconds": 0,
        "Advice": "Connect to it from the AppStream console, and stop it when done: it is billed while it runs.",
    }
    assert pauses == []


def test_a_start_by_somebody_else_is_joined(world: World) -> None:
    execution = run(world, start_image_builder=[finds("PENDING")], describe_image_builder=[finds("RUNNING")])
    found = {key: execution.output[key] for key in ("Outcome", "Started", "Polls", "WaitedSeconds")}
    assert found == {"Outcome": "Running", "Started": False, "Polls": 1, "WaitedSeconds": 23}


def test_polls_and_waits_are_counted(world: World) -> None:
    # The fake's usual start takes 412 seconds.
    execution = run(world)
    assert (execution.output["Polls"], execution.output["WaitedSeconds"]) == (10, 60 + 180 + 8 * 23)


def test_a_ten_minute_start_takes_at_most_60_transitions(world: World) -> None:
    world.prepare({"durations": {"pending": 600}})
    assert len(world.run({"Name": BUILDER}).states) <= 60


@pytest.mark.parametrize(
    "polls", [["STOPPED"], ["STOPPING", "STOPPED"], ["DELETING"], ["RUNNING", "PENDING"], ["RUNNING", "UPDATING_AGENT"]]
)
def test_a_poll_that_finds_the_own_start_over_ends_started(world: World, polls: list[str]) -> None:
    execution = run(
        world,
        {"RequireNetworkInterface": True},
        start_image_builder=[starts(), finds("PENDING")],
        describe_image_builder=[
            *map(finds, polls),
            finds("RUNNING", NetworkAccessConfiguration={"EniPrivateIpAddress": "10.0.0.4"}),
        ],
    )
    if polls == ["DELETING"]:
        assert execution.error == "ImageBuilderDeleting"
    else:
        assert execution.output["Started"] is False


@pytest.mark.parametrize("maintenance", ["REBOOTING", "UPDATING"])
def test_a_reboot_or_an_update_does_not_end_the_own_start(world: World, maintenance: str) -> None:
    interface = {"NetworkAccessConfiguration": {"EniIpv6Addresses": ["2001:db8::1"]}}
    polls = [finds("RUNNING"), finds(maintenance), finds("PENDING"), finds("RUNNING", **interface)]
    execution = run(
        world, {"RequireNetworkInterface": True}, start_image_builder=[starts()], describe_image_builder=polls
    )
    assert execution.output["Started"] is True


# Polls that fail

OUTAGES = [*TRANSIENT, "Lambda.Unknown", "Lambda.ResourceNotReadyException", "Sandbox.Timedout", "States.Timeout"]


@pytest.mark.parametrize("error", OUTAGES)
def test_a_poll_survives_an_outage_until_the_deadline(world: World, error: str) -> None:
    polls = [*[fails(error)] * 6, finds("PENDING"), *[fails(error)] * 3, finds("RUNNING")]
    execution = run(world, start_image_builder=[starts()], describe_image_builder=polls)
    assert (execution.status, execution.output["Started"], execution.output["Polls"]) == ("SUCCEEDED", True, 11)
    assert world.topic.messages == []


def test_the_interval_between_failed_polls_grows(world: World) -> None:
    pauses = pauses_of(world)
    polls = [*[fails("ThrottlingException")] * 6, finds("PENDING"), fails("ThrottlingException"), finds("RUNNING")]
    run(world, start_image_builder=[finds("PENDING")], describe_image_builder=polls)
    assert pauses == [23, 23, 46, 92, 184, 300, 300, 24, 23]


@pytest.mark.parametrize("error", OUTAGES)
def test_an_outage_at_the_deadline_is_named(world: World, error: str) -> None:
    pauses = pauses_of(world)
    execution = run(world, FIVE_MINUTES, start_image_builder=[starts()], describe_image_builder=[fails(error)] * 9)
    assert (execution.error, execution.cause["Route"], sum(pauses)) == ("ImageBuilderStartTimedOut", "notify", 300)
    assert f"still PENDING after 5 minutes of waiting. The last poll failed: {error}." in execution.cause["Message"]
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize("error", [*PERMANENT, "SomethingNewException", "KeyError"])
def test_two_refused_polls_in_a_row_end_the_execution(world: World, error: str) -> None:
    pauses = pauses_of(world)
    polls = [fails(error), finds("PENDING"), fails(error), fails("ThrottlingException"), *[fails(error, "No.")] * 2]
    execution = run(world, start_image_builder=[starts()], describe_image_builder=polls)
    assert (execution.error, execution.states.count("Poll image builder")) == (error, 6)
    assert execution.cause["Message"].startswith("No. The start goes on: it is billed until it is stopped.")
    assert execution.cause["ImageBuilder"]["State"] == "PENDING"
    assert len(world.topic.messages) == 1
    assert pauses[-1] >= 23


# The deadline


@pytest.mark.parametrize("minutes", [5, 7, 60, 120])
def test_the_waits_grow_with_the_time_waited_and_end_at_the_deadline(world: World, minutes: int) -> None:
    pauses = pauses_of(world)
    execution = run(
        world,
        {"TimeoutMinutes": minutes},
        start_image_builder=[finds("PENDING")],
        describe_image_builder=[finds("PENDING")] * 200,
    )
    expected: list[int] = []
    while sum(expected) < minutes * 60:
        expected.append(min(max(23, sum(expected) // 40), 300, minutes * 60 - sum(expected)))
    assert pauses == expected
    assert execution.states.count("Poll image builder") == len(expected)
    assert (execution.error, execution.cause["Route"]) == ("ImageBuilderStartTimedOut", "notify")
    assert execution.cause["Message"] == f"The image builder is still PENDING after {minutes} minutes of waiting."
    assert execution.cause["ImageBuilder"] == {"Name": BUILDER, "State": "PENDING"}
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize(
    ("state", "error", "calls"),
    [
        ("RUNNING", "", 1),
        ("FAILED", "ImageBuilderFailed", 1),
        ("DELETING", "ImageBuilderDeleting", 1),
        ("STOPPED", "ImageBuilderStartTimedOut", 1),
    ],
)
def test_the_poll_at_the_deadline_decides_and_no_start_follows(
    world: World, state: str, error: str, calls: int
) -> None:
    polls = [*[finds("PENDING")] * 13, finds(state)]
    execution = run(world, FIVE_MINUTES, start_image_builder=[finds("PENDING")], describe_image_builder=polls)
    assert (execution.error, execution.states.count("Start image builder")) == (error, calls)


# States that end an execution


@pytest.mark.parametrize("function", [START, POLL])
@pytest.mark.parametrize(
    ("state", "error", "route", "message"),
    [
        ("FAILED", "ImageBuilderFailed", "notify", "The image builder is FAILED. IGW_NOT_ATTACHED"),
        ("DELETING", "ImageBuilderDeleting", "fail", "The image builder is being deleted."),
    ],
)
def test_a_failed_or_deleted_builder_fails_the_execution(
    world: World, function: str, state: str, error: str, route: str, message: str
) -> None:
    found = finds(state, ImageBuilderErrors=[{"ErrorCode": "IGW_NOT_ATTACHED"}])
    execution = run(world, **{START: [finds("PENDING")], function: [found]})
    assert (execution.error, len(world.topic.messages)) == (error, 1)
    assert execution.cause == {
        "Name": BUILDER,
        "Route": route,
        "Message": message,
        "Advice": execution.cause["Advice"],
        "ImageBuilder": {"Name": BUILDER, "State": state, "ImageBuilderErrors": [{"ErrorCode": "IGW_NOT_ATTACHED"}]},
        "OperatorsNotified": True,
    }


def test_a_builder_that_is_stopped_again_is_started_five_times(world: World) -> None:
    polls = [finds("STOPPED", ImageBuilderErrors=[{"ErrorCode": "SUBNET_NOT_FOUND"}])] * 5
    execution = run(world, start_image_builder=[starts()] * 5, describe_image_builder=polls)
    assert (execution.error, execution.cause["Route"]) == ("ImageBuilderFailed", "notify")
    assert execution.states.count("Start image builder") == 5
    assert execution.cause["Message"].startswith("The image builder is STOPPED again, although it was started. SUBNET")
    assert "CloudTrail" in execution.cause["Advice"]


def test_a_joined_start_is_no_attempt(world: World) -> None:
    answers = [*[finds("PENDING")] * 6, finds("RUNNING")]
    execution = run(world, start_image_builder=answers, describe_image_builder=[finds("STOPPED")] * 6)
    assert execution.status == "SUCCEEDED"


def test_a_start_is_waited_for_after_the_last_attempt(world: World) -> None:
    polls = [*[finds("STOPPED")] * 4, finds("RUNNING")]
    execution = run(world, start_image_builder=[starts()] * 5, describe_image_builder=polls)
    assert (execution.status, execution.output["Started"]) == ("SUCCEEDED", True)


# A lost answer


def test_a_start_whose_answer_was_lost_is_presumed_and_polled_as_an_own_one(world: World) -> None:
    pauses = pauses_of(world)
    execution = run(world, start_image_builder=[starts(lost=True)], describe_image_builder=[finds("RUNNING")])
    assert (execution.output["Outcome"], execution.output["Started"], pauses) == ("Running", False, [60])
    assert execution.output["Advice"].endswith("the start is presumed to be this execution's own.")


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


@pytest.mark.parametrize("error", CRASHES)
def test_a_crash_of_the_function_counts_as_a_call_that_was_sent(world: World, error: str) -> None:
    pauses = pauses_of(world)
    execution = run(
        world,
        {"StopAfterMinutes": 30},
        start_image_builder=[fails(error)],
        describe_image_builder=[finds("PENDING"), finds("RUNNING")],
    )
    assert (execution.status, execution.output["Started"], pauses) == ("SUCCEEDED", False, [60, 180])
    assert execution.output["AutoStop"]["Why"].endswith("the start is presumed to be this execution's own.")
    assert [each["Name"] for each in world.engine.started] == ["test-stop-1"]


@pytest.mark.parametrize(
    ("lost", "error"), [(starts(lost=True), "ServiceUnavailableException"), (fails("States.Timeout"), "StatesTimeout")]
)
def test_a_call_that_did_not_take_effect_is_sent_again_in_minutes(world: World, lost: Any, error: str) -> None:
    pauses = pauses_of(world)
    execution = run(world, start_image_builder=[lost] * 5, describe_image_builder=[finds("STOPPED")] * 5)
    assert (execution.error, execution.cause["Route"], len(world.topic.messages)) == (error, "notify", 1)
    assert "call to start" in execution.cause["Message"]
    assert [pause for pause in pauses if pause >= 100] == [120, 240, 480, 600]


def test_the_retry_of_a_lost_call_ends_at_the_deadline(world: World) -> None:
    pauses = pauses_of(world)
    lost, polls = [starts(lost=True)] * 5, [finds("STOPPED")] * 9
    execution = run(world, FIVE_MINUTES, start_image_builder=lost, describe_image_builder=polls)
    assert (execution.error, sum(pauses)) == ("ImageBuilderStartTimedOut", 300)


def test_a_crash_in_a_dry_run_schedules_nothing(world: World) -> None:
    request = {"DryRun": True, "StopAfterMinutes": 5}
    execution = run(
        world, request, start_image_builder=[fails("States.Timeout")], describe_image_builder=[finds("STOPPED")]
    )
    assert (execution.output["Outcome"], world.engine.started) == ("DryRun", [])


# Route error


@pytest.mark.parametrize("error", PERMANENT)
@pytest.mark.parametrize("function", [VALIDATE, START])
def test_a_permanent_error_takes_its_route_at_once(world: World, function: str, error: str) -> None:
    pauses = pauses_of(world)
    execution = run(world, **{function: [fails(error, "So it is.")] * (5 if function == VALIDATE else 1)})
    routing = errors()[error]
    assert (execution.status, execution.error, execution.cause["Route"]) == ("FAILED", error, routing["Route"])
    assert (execution.cause["Message"], execution.cause["Advice"]) == ("So it is.", routing["Advice"])
    assert set(execution.cause) == {"Name", "Route", "Message", "Advice", "OperatorsNotified"}
    assert (len(pauses), len(world.topic.messages)) == (4 if function == VALIDATE else 0, 1)


@pytest.mark.parametrize("error", [error for error in TRANSIENT if error != "OperationNotPermittedException"])
@pytest.mark.parametrize(
    ("share", "seconds"),
    [(0, [90, 180, 360, 450]), (0.5, [120, 240, 480, 600]), (1, [150, 300, 600, 750]), (0.011, [91, 181, 363, 453])],
)
def test_a_transient_error_is_retried_in_growing_minutes_five_times(
    world: World, error: str, share: float, seconds: Sequence[int]
) -> None:
    pauses = pauses_of(world)
    in_seconds = 5 if error in ("ThrottlingException", "ServiceUnavailableException") else 1
    with jitter(share):
        execution = run(world, start_image_builder=[*[fails(error)] * 4 * in_seconds, finds("RUNNING")])
    assert [pause for pause in pauses if pause >= 90] == seconds
    assert (execution.output["WaitedSeconds"], execution.output["Polls"]) == (sum(seconds), 0)
    execution = run(world, start_image_builder=[fails(error)] * 5 * in_seconds)
    assert (execution.error, execution.cause["Route"], len(world.topic.messages)) == (error, "notify", 1)
    assert execution.cause["Advice"] == errors()[error]["Advice"]
    assert execution.states.count("Start image builder") == 5


def test_a_builder_that_was_not_stopped_is_polled_after_30_seconds(world: World) -> None:
    pauses = pauses_of(world)
    polls = [*[finds("STOPPED")] * 3, finds("RUNNING")]
    refusals = [fails("OperationNotPermittedException")]
    execution = run(world, start_image_builder=refusals * 4, describe_image_builder=polls)
    assert pauses == [30, 30, 30, 30]
    assert (execution.output["WaitedSeconds"], execution.output["Polls"]) == (120, 4)
    execution = run(world, start_image_builder=refusals * 5, describe_image_builder=[finds("STOPPED")] * 5)
    assert (execution.error, len(world.topic.messages)) == ("OperationNotPermittedException", 1)


# With jitter(0.1) the waits of minutes are four fifths of 2 and 4 minutes; 12 seconds of the 5 minutes are left then.
FOR_288_SECONDS = [fails("ResourceNotAvailableException")] * 2


@pytest.mark.parametrize("error", ["OperationNotPermittedException", "ConcurrentModificationException"])
def test_the_wait_after_an_error_ends_at_the_deadline(world: World, error: str) -> None:
    pauses = pauses_of(world)
    stopped = finds("STOPPED")
    with jitter(0.1):
        execution = run(
            world,
            FIVE_MINUTES,
            start_image_builder=[*FOR_288_SECONDS, fails(error), fails(error)],
            describe_image_builder=[stopped],
        )
    assert pauses == [96, 192, 12]
    polled = error == "OperationNotPermittedException"
    assert execution.error == ("ImageBuilderStartTimedOut" if polled else error)
    assert len(world.topic.messages) == 1


# Read error


@pytest.mark.parametrize("payload", [b'{"errorType": "Odd", "errorMessage": ""}', b'{"errorType": "Odd"}'])
def test_an_error_without_a_message_says_so(world: World, payload: bytes) -> None:
    answer = {"FunctionError": "Unhandled", "Payload": payload}
    execution = run(world, start_image_builder=[lambda handler, event: answer] * 5)
    assert execution.cause["Advice"].startswith(GENERAL)
    assert execution.cause["Message"] in ("No cause was given for Odd.", '{"errorType":"Odd"}')


def test_a_cause_that_is_no_json_is_the_message(world: World) -> None:
    def not_invoked(handler: Handler, event: Any) -> dict[str, Any]:
        raise refused("Invoke")

    execution = run(world, start_image_builder=[not_invoked] * 5)
    assert (execution.error, execution.cause["Route"]) == ("Lambda.InternalErrorException", "notify")
    assert execution.cause["Message"].startswith("The service says no. (Service")
    assert execution.cause["Advice"].startswith(GENERAL)


def test_an_error_of_step_functions_ends_it_under_a_name_that_a_fail_state_may_have(world: World) -> None:
    execution = run(world, validate_request=[fails("States.Timeout")] * 5)
    assert (execution.error, execution.cause["Route"]) == ("StatesTimeout", "notify")
    assert execution.cause["Message"] == "No cause was given for States.Timeout."


def test_a_message_without_end_is_cut(world: World) -> None:
    endless = function_error("Odd", "\x01" * 30_000)
    execution = run(world, start_image_builder=[lambda handler, event: endless] * 5)
    assert len(execution.cause["Message"]) == 2_000
    assert len(execution.cause_text) <= 32_768


# Read request: the name, whatever else is wrong with the input


@pytest.mark.parametrize(
    ("execution_input", "name"),
    [
        ({"Name": BUILDER, "Nmae": 1}, BUILDER),
        ({"Name": "n" * 102}, "n" * 101),
        ({"detail-type": "Start", "detail": {"Name": BUILDER, "Nmae": 1}}, BUILDER),
        ({"detail-type": "Start", "detail": {"Name": "n" * 102}}, "n" * 101),
        ({"Name": 7}, None),
        ({"Name": {"a": 1}}, None),
        ({"Name": None}, None),
        ({}, None),
        ([], None),
        ("text", None),
        (None, None),
    ],
)
def test_a_refused_request_is_named(world: World, execution_input: Any, name: str | None) -> None:
    execution = world.run(execution_input)
    assert execution.error == "InvalidRequest"
    assert execution.cause["Name"] == name
    assert set(execution.cause) == {"Name", "Route", "Message", "Advice", "OperatorsNotified"}


def test_the_name_is_known_when_the_request_cannot_be_validated(world: World) -> None:
    event = {"detail-type": "Start", "detail": {"Name": BUILDER}}
    world.engine.script = {VALIDATE: [fails("KeyError")] * 5}
    assert world.run(event).cause["Name"] == BUILDER


@pytest.mark.parametrize("workflow", ["start", "stop"])
def test_an_input_that_no_function_can_read_is_an_invalid_request(world: World, workflow: str) -> None:
    world.engine.script = {VALIDATE: [fails("Runtime.UnmarshalError", "maximum recursion depth exceeded")]}
    execution = world.run({"Name": BUILDER}) if workflow == "start" else world.run_stop({"Name": BUILDER})
    assert (execution.error, execution.cause["Route"], len(world.topic.messages)) == ("InvalidRequest", "fail", 1)
    assert "nests too deeply" in execution.cause["Message"]


# Notifications and events

TRIES = 7
NOTIFICATIONS: Mapping[str, tuple[Mapping[str, Any], Any]] = {
    "a failure": ({START: [fails("IncompatibleImageException", "So it is.")]}, {}),
    "a success": ({}, {"NotifyOnSuccess": True}),
}


def test_a_failure_is_notified_in_the_form_of_its_event(world: World) -> None:
    events: list[Any] = []
    execution = run(world, start_image_builder=[finds("FAILED")], notify_operators=[records(events)])
    cause = {key: value for key, value in execution.cause.items() if key != "OperatorsNotified"}
    assert events == [
        {
            "detail": {
                "executionArn": ARN,
                "status": "FAILED",
                "error": "ImageBuilderFailed",
                "cause": cause,
                "attempts": 0,
            }
        }
    ]


def test_a_success_is_notified_only_where_the_request_wants_it(world: World) -> None:
    events: list[Any] = []
    execution = run(world, {"NotifyOnSuccess": True}, notify_operators=[records(events)])
    output = {key: value for key, value in execution.output.items() if key != "Polls"}
    assert events == [{"detail": {"executionArn": ARN, "status": "SUCCEEDED", "output": output}}]
    assert len(world.topic.messages) == 1
    assert run(world).status == "SUCCEEDED"
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("what", NOTIFICATIONS)
def test_a_notification_is_tried_seven_times(world: World, what: str, share: float) -> None:
    script, request = NOTIFICATIONS[what]
    pauses = pauses_of(world)
    world.topic.errors = [refused("Publish")] * (TRIES - 1)
    with jitter(share):
        run(world, request, **script)
    assert pauses[-6:] == [share * seconds for seconds in (5, 10, 20, 40, 60, 60)]
    assert len(world.topic.messages) == 1


def test_a_failure_that_the_workflow_could_not_notify_is_notified_by_its_event(world: World) -> None:
    world.topic.errors = [refused("Publish")] * TRIES
    execution = run(world, start_image_builder=[fails("IncompatibleImageException", "So it is.")])
    assert (execution.error, execution.cause["OperatorsNotified"]) == ("IncompatibleImageException", False)
    (message,) = world.topic.messages
    assert "So it is." in message["Message"]


def test_a_success_that_cannot_be_notified_is_a_success(world: World) -> None:
    world.topic.errors = [refused("Publish")] * TRIES
    execution = run(world, {"NotifyOnSuccess": True})
    assert (execution.status, execution.output["Outcome"], world.topic.messages) == ("SUCCEEDED", "Running", [])


def test_a_success_is_published_once_with_what_the_next_workflow_needs(world: World) -> None:
    execution = run(world, start_image_builder=[finds("RUNNING")])
    (entry,) = world.engine.announced
    assert {key: entry[key] for key in entry if key != "Resources"} == {
        "EventBusName": "default",
        "Source": "start-image-builder",
        "DetailType": "Image Builder Running",
        "Detail": {
            "Execution": ARN,
            "Name": BUILDER,
            "Outcome": "AlreadyRunning",
            "Started": False,
            "ImageBuilder": execution.output["ImageBuilder"],
        },
    }


def test_a_failure_is_published_once_with_its_cause(world: World) -> None:
    execution = run(world, start_image_builder=[finds("DELETING")])
    (entry,) = world.engine.announced
    cause = {key: value for key, value in execution.cause.items() if key != "OperatorsNotified"}
    assert entry["DetailType"] == "Image Builder Start Failed"
    assert entry["Detail"] == {"Execution": ARN, "Error": "ImageBuilderDeleting", **cause}


@pytest.mark.parametrize("state", ["RUNNING", "DELETING"])
def test_an_event_is_tried_seven_times_and_changes_nothing_when_it_fails(world: World, state: str) -> None:
    def ending(execution: Execution) -> tuple[Any, ...]:
        return execution.status, execution.output, execution.error, execution.cause_text

    expected = ending(run(World.new(), start_image_builder=[finds(state)]))
    for failures, events in ((TRIES - 1, 1), (TRIES, 1)):
        world.engine.announce_errors = [refused("PutEvents")] * failures
        assert ending(run(world, start_image_builder=[finds(state)])) == expected
        assert len(world.engine.announced) == events


def test_a_dry_run_publishes_nothing(world: World) -> None:
    run(world, {"DryRun": True})
    assert world.engine.announced == []


# The agent


def test_the_agent_is_reported_where_a_version_was_requested(world: World) -> None:
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
    assert (waited[0], waited[-1]) == (0, execution.output["WaitedSeconds"])
    assert waited == sorted(waited)
