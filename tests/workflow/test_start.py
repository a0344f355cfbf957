"""Each branch of the workflow that starts: its limits, its numbers, its texts."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import repeat
from typing import Any

import pytest

from lambdas.image_builder.errors import ERRORS
from lambdas.image_builder.request import parse_request
from tests import scenarios
from tests.scenarios import BUILDER, Scenario
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Handler, function_error, service_error
from tests.workflow.scripted import (
    CRASHES,
    NOTIFY,
    POLL,
    START,
    VALIDATE,
    fails,
    finds,
    jitter,
    records,
    returns,
    starts,
)

TRANSIENT = [
    "ConcurrentModificationException",
    "OperationNotPermittedException",
    "ResourceNotAvailableException",
    "ServiceUnavailableException",
    "ThrottlingException",
]
PERMANENT = [code for code in ERRORS if code not in (*TRANSIENT, "Unknown", "InvalidRequest")]


# What the functions get


def test_each_function_gets_the_request_the_tracking_and_the_execution(world: World) -> None:
    events: list[Any] = []
    execution = world.start(script={function: [records(events)] for function in (VALIDATE, START, POLL)})
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


def test_polls_and_waits_are_counted(world: World) -> None:
    # The fake's usual start takes 412 seconds.
    output = world.start().output
    assert (output["Polls"], output["WaitedSeconds"]) == (10, 60 + 180 + 8 * 23)


def test_a_ten_minute_start_takes_at_most_60_transitions(world: World) -> None:
    assert len(world.start({"durations": {"pending": 600}}).states) <= 60


# Polls that fail

OUTAGES = [*TRANSIENT, "Lambda.Unknown", "Runtime.ImportModuleError", "Sandbox.Timedout", "States.Timeout"]


@pytest.mark.parametrize("error", OUTAGES)
def test_a_poll_survives_an_outage_until_the_deadline(world: World, error: str) -> None:
    polls = [*[fails(error)] * 6, finds("PENDING"), fails(error), finds("RUNNING")]
    execution = world.start(starts=[starts()], polls=polls)
    assert (execution.status, execution.output["Started"], execution.output["Polls"]) == ("SUCCEEDED", True, 9)
    assert world.pauses == [60, 23, 46, 92, 184, 300, 300, 25, 23]
    assert world.topic.messages == []


def test_an_outage_from_the_beginning_to_the_deadline_is_named(world: World) -> None:
    crash = repeat(fails("States.Timeout"))
    execution = world.start(starts=crash, polls=crash, TimeoutMinutes=5)
    assert world.failure(execution) == ("ImageBuilderStartTimedOut", "notify", 1)
    message = (
        "The state of the image builder is not known: no poll has succeeded. The last poll failed: States.Timeout."
    )
    assert execution.cause["Message"].startswith(message)
    assert execution.cause["Advice"].startswith("See the image builder in the AppStream console")


@pytest.mark.parametrize("error", [*PERMANENT, "SomethingNewException", "KeyError"])
def test_two_refused_polls_in_a_row_end_the_execution(world: World, error: str) -> None:
    polls = [fails(error), finds("PENDING"), fails(error), fails("ThrottlingException"), *[fails(error, "No.")] * 2]
    execution = world.start(starts=[starts()], polls=polls)
    assert (execution.error, execution.states.count("Poll image builder")) == (error, 6)
    assert execution.cause["Message"].startswith("No. The start goes on: it is billed until it is stopped.")
    assert execution.cause["ImageBuilder"]["State"] == "PENDING"
    assert len(world.topic.messages) == 1
    assert world.pauses[-1] >= 23


@pytest.mark.parametrize("payload", [b"null", b"[]", b"{}", b'"text"', b'{"Phase": "Dreaming"}'])
def test_a_poll_that_returns_garbage_is_a_failed_poll(world: World, payload: bytes) -> None:
    assert world.start(polls=[returns(payload)]).status == "SUCCEEDED"
    garbage = repeat(returns(payload))
    execution = world.start({"state": "PENDING"}, starts=garbage, polls=garbage, TimeoutMinutes=5)
    assert (execution.status, execution.cause["Name"], len(world.topic.messages)) == ("FAILED", BUILDER, 1)


# The deadline


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("RUNNING", ""),
        ("FAILED", "ImageBuilderFailed"),
        ("DELETING", "ImageBuilderDeleting"),
        ("STOPPED", "ImageBuilderStartTimedOut"),
    ],
)
def test_the_poll_at_the_deadline_decides_and_no_start_follows(world: World, state: str, error: str) -> None:
    polls = [*[finds("PENDING")] * 13, finds(state)]
    execution = world.start(starts=[finds("PENDING")], polls=polls, TimeoutMinutes=5)
    assert (execution.error, execution.states.count("Start image builder")) == (error, 1)


# States that end an execution


def test_a_builder_that_is_stopped_again_is_started_five_times(world: World) -> None:
    polls = [finds("STOPPED", ImageBuilderErrors=[{"ErrorCode": "SUBNET_NOT_FOUND"}])] * 5
    execution = world.start(starts=[starts()] * 5, polls=polls)
    assert world.failure(execution) == ("ImageBuilderFailed", "notify", 1)
    assert execution.states.count("Start image builder") == 5
    assert execution.cause["Message"].startswith("The image builder is STOPPED again, although it was started. SUBNET")
    assert "CloudTrail" in execution.cause["Advice"]


def test_a_joined_start_is_no_attempt(world: World) -> None:
    joined = [*[finds("PENDING")] * 6, finds("RUNNING")]
    assert world.start(starts=joined, polls=[finds("STOPPED")] * 6).status == "SUCCEEDED"


@pytest.mark.parametrize("lost", [False, True])
def test_a_start_is_waited_for_after_the_last_attempt(world: World, lost: bool) -> None:
    polls = [*[finds("STOPPED")] * 4, finds("PENDING"), finds("RUNNING")]
    execution = world.start(starts=[starts(lost=lost)] * 5, polls=polls)
    assert (execution.status, execution.output["Started"]) == ("SUCCEEDED", not lost)


# A lost answer


@pytest.mark.parametrize("error", CRASHES)
def test_a_crash_of_the_function_counts_as_a_call_that_was_sent(world: World, error: str) -> None:
    polls = [finds("PENDING"), finds("RUNNING")]
    execution = world.start(starts=[fails(error)], polls=polls, StopAfterMinutes=30)
    assert (execution.status, execution.output["Started"], world.pauses) == ("SUCCEEDED", False, [60, 180])
    assert execution.output["AutoStop"]["Why"].endswith("the start is presumed to be this execution's own.")
    assert world.scheduled == ["test-stop-1"]


@pytest.mark.parametrize(
    ("lost", "error"), [(starts(lost=True), "ServiceUnavailableException"), (fails("States.Timeout"), "StatesTimeout")]
)
def test_a_call_that_did_not_take_effect_is_sent_again_in_minutes(world: World, lost: Any, error: str) -> None:
    execution = world.start(starts=[lost] * 5, polls=[finds("STOPPED")] * 5)
    assert world.failure(execution) == (error, "notify", 1)
    assert "call to start" in execution.cause["Message"]
    assert [pause for pause in world.pauses if pause >= 100] == [120, 240, 480, 600]


def test_the_retry_of_a_lost_call_ends_at_the_deadline(world: World) -> None:
    execution = world.start(starts=repeat(starts(lost=True)), polls=repeat(finds("STOPPED")), TimeoutMinutes=5)
    assert (execution.error, sum(world.pauses)) == ("ImageBuilderStartTimedOut", 300)


# Route error


@pytest.mark.parametrize("error", PERMANENT)
@pytest.mark.parametrize(("function", "retries"), [(VALIDATE, 4), (START, 0)])
def test_a_permanent_error_takes_its_route_at_once(world: World, function: str, retries: int, error: str) -> None:
    execution = world.start(script={function: [fails(error, "So it is.")] * (1 + retries)})
    routing = ERRORS[error]
    assert world.failure(execution) == (error, routing["Route"], 1)
    assert (execution.cause["Message"], execution.cause["Advice"]) == ("So it is.", routing["Advice"])
    assert len(world.pauses) == retries


@pytest.mark.parametrize("error", [error for error in TRANSIENT if error != "OperationNotPermittedException"])
@pytest.mark.parametrize(
    ("share", "seconds"), [(0, [90, 180, 360, 450]), (1, [150, 300, 600, 750]), (0.011, [91, 181, 363, 453])]
)
def test_a_transient_error_is_retried_in_growing_minutes_five_times(
    world: World, error: str, share: float, seconds: Sequence[int]
) -> None:
    in_seconds = 5 if error in ("ThrottlingException", "ServiceUnavailableException") else 1
    with jitter(share):
        execution = world.start(starts=[*[fails(error)] * 4 * in_seconds, finds("RUNNING")])
    assert [pause for pause in world.pauses if pause >= 90] == seconds
    assert (execution.output["WaitedSeconds"], execution.output["Polls"]) == (sum(seconds), 0)
    execution = world.start(starts=[fails(error)] * 5 * in_seconds)
    assert world.failure(execution) == (error, "notify", 1)
    assert execution.cause["Advice"] == ERRORS[error]["Advice"]
    assert execution.states.count("Start image builder") == 5


def test_a_builder_that_was_not_stopped_is_polled_after_30_seconds(world: World) -> None:
    refusals = [fails("OperationNotPermittedException")]
    execution = world.start(starts=refusals * 4, polls=[*[finds("STOPPED")] * 3, finds("RUNNING")])
    assert world.pauses == [30, 30, 30, 30]
    assert (execution.output["WaitedSeconds"], execution.output["Polls"]) == (120, 4)
    execution = world.start(starts=refusals * 5, polls=[finds("STOPPED")] * 5)
    assert world.failure(execution) == ("OperationNotPermittedException", "notify", 1)


# With jitter(0.1) the waits of minutes are four fifths of 2 and 4 minutes; 12 seconds of the 5 minutes are left then.
FOR_288_SECONDS = [fails("ResourceNotAvailableException")] * 2


@pytest.mark.parametrize(
    ("error", "ends"),
    [
        ("OperationNotPermittedException", "ImageBuilderStartTimedOut"),
        ("ConcurrentModificationException", "ConcurrentModificationException"),
    ],
)
def test_the_wait_after_an_error_ends_at_the_deadline(world: World, error: str, ends: str) -> None:
    with jitter(0.1):
        execution = world.start(
            starts=[*FOR_288_SECONDS, fails(error), fails(error)], polls=[finds("STOPPED")], TimeoutMinutes=5
        )
    assert world.pauses == [96, 192, 12]
    assert world.failure(execution) == (ends, "notify", 1)


# Read error

unhandled = partial(returns, FunctionError="Unhandled")


def not_invoked(handler: Handler, event: Any) -> dict[str, Any]:
    raise service_error("Invoke")


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (unhandled(b'{"errorType": "Odd", "errorMessage": ""}'), "Odd", "No cause was given for Odd."),
        (unhandled(b'{"errorType": "Odd"}'), "Odd", '{"errorType":"Odd"}'),
        (unhandled(b'{"errorType": "Odd", "errorMessage": null}'), "Odd", '{"errorType":"Odd'),
        (unhandled(b'{"errorType": "Odd", "errorMessage": {"a": 1}}'), "Odd", '{"errorType":'),
        (unhandled(b'{"errorType": "Odd", "errorMessage": "\\"}{\\u0000"}'), "Odd", '"}{\0'),
        (unhandled(b'"no object"'), "Exception", ""),
        (lambda *_: function_error("Odd", "{maintenance window}"), "Odd", "{maintenance window}"),
        (lambda *_: function_error("Odd", '{"Message": "cut of'), "Odd", '{"Message": "cut of'),
        (lambda *_: function_error("Odd", "\x01" * 30_000), "Odd", "\x01" * 2_000),
        (not_invoked, "Lambda.InternalErrorException", "The service says no. (Service"),
        # A Fail state may not end with an Error that begins with "States.".
        (fails("States.Timeout"), "StatesTimeout", "No cause was given for States.Timeout."),
    ],
)
@pytest.mark.parametrize("workflow", ["run", "run_stop", "run_fleet"])
def test_a_cause_that_is_no_report_is_the_message(
    world: World, workflow: str, answer: Any, error: str, message: str
) -> None:
    world.plan({VALIDATE: repeat(answer), "list_image_builders": repeat(answer)})
    execution = getattr(world, workflow)({"Name": BUILDER})
    assert world.failure(execution) == (error, "notify", 1)
    assert execution.cause["Message"].startswith(message)
    assert len(execution.cause["Message"]) <= 2_000
    general = {"run": "If AWS was busy", "run_stop": "Stop the image builder", "run_fleet": "Executions that the fleet"}
    assert execution.cause["Advice"].startswith(f"Read the message. {general[workflow]}")


# Read request: the name, whatever else is wrong with the input


@pytest.mark.parametrize(
    ("execution_input", "name"),
    [
        ({"Name": BUILDER, "Nmae": 1}, BUILDER),
        ({"detail-type": "Start", "detail": {"Name": BUILDER, "Nmae": 1}}, BUILDER),
        ({"detail-type": "Start", "detail": {"Name": "n" * 102}}, "n" * 101),
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
    assert (execution.error, execution.cause["Name"]) == ("InvalidRequest", name)
    assert set(execution.cause) == {"Name", "Route", "Message", "Advice", "OperatorsNotified"}


def test_the_name_is_known_when_the_request_cannot_be_validated(world: World) -> None:
    world.plan({VALIDATE: repeat(fails("KeyError"))})
    assert world.run({"detail-type": "Start", "detail": {"Name": BUILDER}}).cause["Name"] == BUILDER


# Notifications and events

TRIES = 7


def test_a_failure_is_notified_in_the_form_of_its_event(world: World) -> None:
    events: list[Any] = []
    cause = world.start(starts=[finds("FAILED")], script={NOTIFY: [records(events)]}).cause
    del cause["OperatorsNotified"]
    said = {"executionArn": ARN, "status": "FAILED", "error": "ImageBuilderFailed", "cause": cause, "attempts": 0}
    assert events == [{"detail": said}]


def test_a_failed_stop_is_notified_in_the_form_of_its_event(world: World) -> None:
    events: list[Any] = []
    world.stop({"state": "STOPPING"}, script={NOTIFY: [records(events)]}, TimeoutMinutes=5)
    assert (events[0]["detail"]["status"], events[0]["detail"]["error"]) == ("FAILED", "ImageBuilderStopTimedOut")


def test_a_success_is_notified_only_where_the_request_wants_it(world: World) -> None:
    events: list[Any] = []
    output = world.start(script={NOTIFY: [records(events)]}, NotifyOnSuccess=True).output
    del output["Polls"]
    assert events == [{"detail": {"executionArn": ARN, "status": "SUCCEEDED", "output": output}}]
    assert world.start().status == "SUCCEEDED"
    assert len(world.topic.messages) == 1


@pytest.mark.parametrize("share", [0, 0.5, 1])
@pytest.mark.parametrize("workflow", ["run", "run_stop", "run_fleet"])
def test_every_workflow_retries_its_first_function_and_its_notification(
    world: World, workflow: str, share: float
) -> None:
    errors = repeat(fails("KeyError"))
    refusals = [service_error("Publish")] * (TRIES - 1)
    world.plan({VALIDATE: errors, "list_image_builders": errors, "Publish": refusals})
    with jitter(share):
        execution = getattr(world, workflow)({"Name": BUILDER})
    assert world.failure(execution) == ("KeyError", "notify", 1)
    assert world.pauses == [share * seconds for seconds in (5, 10, 20, 40, 5, 10, 20, 40, 60, 60)]


@pytest.mark.parametrize("workflow", ["run", "run_stop", "run_fleet"])
def test_a_failure_that_the_workflow_could_not_notify_is_notified_by_its_event(world: World, workflow: str) -> None:
    world.plan({"Publish": [service_error("Publish")] * TRIES})
    execution = getattr(world, workflow)({"Typo": 1})
    assert (execution.error, execution.cause["OperatorsNotified"]) == ("InvalidRequest", False)
    assert len(world.topic.messages) == 1


def test_a_success_that_cannot_be_notified_is_a_success(world: World) -> None:
    execution = world.start(script={"Publish": repeat(service_error("Publish"))}, NotifyOnSuccess=True)
    assert (execution.status, execution.output["Outcome"], world.topic.messages) == ("SUCCEEDED", "Running", [])
    assert len(world.engine.announced) == 1


@pytest.mark.parametrize("state", ["RUNNING", "DELETING"])
def test_an_event_that_cannot_be_published_changes_nothing(world: World, state: str) -> None:
    usual = world.start(starts=[finds(state)])
    unpublished = world.start(starts=[finds(state)], script={"PutEvents": [service_error("PutEvents")] * TRIES})
    assert replace(unpublished, history=[]) == replace(usual, history=[])
    assert len(world.engine.announced) == 1


def test_a_dry_run_publishes_nothing(world: World) -> None:
    world.start(DryRun=True)
    assert world.engine.announced == []


# The agent


def test_the_agent_is_reported_where_a_version_was_requested(world: World) -> None:
    output = world.start(AppstreamAgentVersion="LATEST").output
    agent = output["Agent"]
    assert (agent["Requested"], agent["Before"], agent["After"]) == ("LATEST", "05-08-2025", "09-10-2025")
    assert agent["LatestAppstreamAgentVersion"] == "TRUE"
    assert [step["State"] for step in agent["Progress"]] == ["PENDING", "UPDATING_AGENT", "RUNNING"]
    waited = [step["WaitedSeconds"] for step in agent["Progress"]]
    assert waited == sorted({0, *waited, output["WaitedSeconds"]})


# The scenarios that run on the emulator as well


@scenarios.parametrize(scenarios.ALL)
def test_scenario(world: World, scenario: Scenario) -> None:
    scenario.check(world.outcome(world.play(scenario)))
