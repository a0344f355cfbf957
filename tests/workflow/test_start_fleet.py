"""The fleet workflow, in process: each of its executions really runs, or ends as a test says."""

import json
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from botocore.exceptions import ClientError

from cli.definition import FLEET
from cli.definition import definition as definition_of
from lambdas import list_image_builders
from local.fake_appstream.faults import Fault
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution, function_error, run_handler

ONE_AT_A_TIME = {"MaxConcurrency": 1}


def ends(status: str = "SUCCEEDED", *, error: str = "", cause: Any = "") -> Execution:
    text = cause if isinstance(cause, str) else json.dumps(cause)
    return Execution(status, {"Outcome": "Running", "Started": True}, error, text, [])


def refusal(code: str) -> ClientError:
    metadata: Any = {"HTTPStatusCode": 400, "RequestId": "1"}
    return ClientError({"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": metadata}, "StartExecution")


def results(fleet: Execution) -> list[Any]:
    """The results as "Evaluate results" gets them, which a Cause lists in part only."""
    (counted,) = (
        json.loads(event["stateExitedEventDetails"]["assignedVariables"]["results"])
        for event in fleet.history
        if event.get("stateExitedEventDetails", {}).get("name") == "Count results"
    )
    assert isinstance(counted, list)
    return counted


def test_each_image_builder_has_its_own_execution_and_results_keep_the_order(world: World) -> None:
    world.fake.put_builder("a")
    world.fake.put_builder("b", state="RUNNING")
    fleet = world.run_fleet({"ImageBuilders": ["b", {"Name": "a", "StopAfterMinutes": 30}, "b"], **ONE_AT_A_TIME})
    assert fleet.status == "SUCCEEDED", fleet
    assert fleet.output == {
        "Requested": 2,
        "Running": 2,
        "Failed": 0,
        "Results": [
            {"Index": 0, "Name": "b", "Outcome": "AlreadyRunning", "Started": False},
            {"Index": 1, "Name": "a", "Outcome": "Running", "Started": True},
        ],
    }
    assert world.topic.messages == []
    assert world.fleet
    assert [started["Name"] for started in world.fleet.started] == ["test-0", "test-1"]
    assert {started["StateMachineArn"].rpartition(":")[2] for started in world.fleet.started} == {"live"}
    (auto_stop,) = world.engine.started
    assert json.loads(auto_stop["Input"])["Name"] == "a"


def test_a_default_is_for_requests_that_do_not_have_the_field(world: World) -> None:
    requests: list[Any] = []

    def nested(parameters: dict[str, str]) -> Execution:
        requests.append(json.loads(parameters["Input"]))
        return ends()

    defaults = {"TimeoutMinutes": 30, "StopOnFailure": True}
    request = {"ImageBuilders": ["a", {"Name": "b", "TimeoutMinutes": 90}], "Defaults": defaults, **ONE_AT_A_TIME}
    assert world.run_fleet(request, nested).status == "SUCCEEDED"
    added = {
        "PollIntervalSeconds": 23,
        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN.replace("StartImageBuilder", "StartFleet"),
    }
    assert requests == [
        {"Name": "a", **defaults, **added},
        {"Name": "b", **defaults, "TimeoutMinutes": 90, **added},
    ]


def test_a_fleet_spreads_its_starts_to_four_or_five_a_second(world: World) -> None:
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)

    world.engine.sleep = sleep
    names = [f"b{number}" for number in range(10)]
    world.run_fleet({"ImageBuilders": names}, lambda parameters: ends())
    assert sorted(waits) == [0] * 5 + [1] * 4 + [2]
    waits.clear()
    world.run_fleet({"ImageBuilders": names, "MaxConcurrency": 6}, lambda parameters: ends())
    assert sorted(waits) == [0] * 9 + [1]


def test_a_failure_stops_no_other_start_and_has_one_message(world: World) -> None:
    world.fake.put_builder("good")
    world.fake.put_builder("broken", state="FAILED")
    bad = {"Name": "bad", "Nmae": 1}
    fleet = world.run_fleet({"ImageBuilders": ["broken", bad, 7, "missing", "good"], **ONE_AT_A_TIME})
    assert (fleet.status, fleet.error) == ("FAILED", "FleetStartIncomplete")
    assert fleet.cause == {
        "Aim": "fleet",
        "Name": None,
        "Route": "notify",
        "Message": "4 of 5 image builders failed: broken (ImageBuilderFailed), bad (InvalidRequest), request 2 "
        "(InvalidRequest), missing (ResourceNotFoundException).",
        "Advice": "The execution of each failed image builder says what to do: see its message, or the execution in "
        "the Step Functions console.",
        "Requested": 5,
        "Running": 1,
        "Failed": 4,
        "Results": [
            {"Index": 0, "Name": "broken", "Outcome": "Failed", "Error": "ImageBuilderFailed"},
            {"Index": 1, "Name": "bad", "Outcome": "Failed", "Error": "InvalidRequest"},
            {"Index": 2, "Name": None, "Outcome": "Failed", "Error": "InvalidRequest"},
            {"Index": 3, "Name": "missing", "Outcome": "Failed", "Error": "ResourceNotFoundException"},
        ],
        "OperatorsNotified": True,
    }
    subjects = [message["Subject"].split(", ")[0] for message in world.topic.messages]
    assert subjects == ["[FAILED] broken", "[FAILED] bad", "[FAILED] image builder", "[FAILED] missing"]


def test_a_failure_without_an_execution_of_its_own_has_the_message_of_the_fleet(world: World) -> None:
    world.fake.put_builder("broken", state="FAILED")
    request = {"ImageBuilders": ["b", "broken"], **ONE_AT_A_TIME}
    fleet = world.run_fleet(request, start_errors=[refusal("AccessDenied")])
    assert fleet.cause["Message"] == (
        "2 of 2 image builders failed: b (StepFunctions.AccessDeniedException, without a message of its own), "
        "broken (ImageBuilderFailed)."
    )
    assert fleet.cause["OperatorsNotified"] is True
    own, summary = (message["Subject"] for message in world.topic.messages)
    assert own.startswith("[FAILED] broken")
    assert summary == "[FAILED] fleet, FleetStartIncomplete, us-east-1, 000000000000"


def test_a_start_that_step_functions_throttles_is_retried_under_the_same_name(world: World) -> None:
    errors = [refusal("Throttling")] * 6
    fleet = world.run_fleet({"ImageBuilders": ["a"]}, lambda parameters: ends(), start_errors=errors)
    assert (fleet.status, len(world.fleet.started if world.fleet else [])) == ("SUCCEEDED", 1)


def test_a_failure_is_a_result_even_where_no_function_answers(world: World) -> None:
    world.engine.script["list_image_builders"] = [run_handler] + [lambda *_: function_error("Odd", "No.")] * 7
    fleet = world.run_fleet({"ImageBuilders": ["a"]}, lambda parameters: ends("FAILED", error="E", cause="{odd}"))
    assert results(fleet) == [
        {"Index": 0, "Name": "a", "Outcome": "Failed", "Error": "States.TaskFailed", "Notified": False}
    ]
    assert (
        fleet.cause["Message"] == "1 of 1 image builders failed: a (States.TaskFailed, without a message of its own)."
    )


def test_the_history_has_the_message_of_each_failure(world: World) -> None:
    cause = {"Name": "b", "Route": "notify", "Message": "It is broken. " * 100, "Advice": "Do."}

    def nested(parameters: dict[str, str]) -> Execution:
        return ends("FAILED", error="ImageBuilderFailed", cause=cause) if parameters["Name"] == "test-1" else ends()

    fleet = world.run_fleet({"ImageBuilders": ["a", "b"], **ONE_AT_A_TIME}, nested)
    message = results(fleet)[1]["Message"]
    assert len(message) == 1_000
    assert message.startswith("It is broken. It is broken.")


@pytest.mark.parametrize(
    ("end", "error"),
    [
        (ends("ABORTED", cause="{maintenance window}"), "Aborted"),
        (ends("TIMED_OUT", error="States.Timeout"), "States.Timeout"),
        (ends("FAILED", error="Odd", cause="{no JSON"), "Odd"),
        (ends("FAILED", error="E" * 80, cause={"Message": 7}), f"{'E' * 57}..."),
    ],
)
def test_an_execution_that_ends_in_any_way_has_a_result(world: World, end: Execution, error: str) -> None:
    fleet = world.run_fleet({"ImageBuilders": ["a"]}, lambda parameters: end)
    assert fleet.cause["Results"] == [{"Index": 0, "Name": "a", "Outcome": "Failed", "Error": error}]
    assert end.cause_text in results(fleet)[0]["Message"]
    # Its own status change event has the message.
    assert world.topic.messages == []


def test_a_tag_selects_and_what_is_gone_is_named(world: World) -> None:
    for number in range(5):
        world.fake.put_builder(f"b{number}", tags={"Patch": "tuesday" if number % 2 else "friday"})
    request = {"Tag": {"Key": "Patch", "Value": "tuesday"}, "Defaults": {"DryRun": True}, **ONE_AT_A_TIME}
    expected = {
        "Requested": 2,
        "Running": 0,
        "Failed": 0,
        "Results": [
            {"Index": 0, "Name": "b1", "Outcome": "DryRun", "Route": "start"},
            {"Index": 1, "Name": "b3", "Outcome": "DryRun", "Route": "start"},
        ],
    }
    assert world.run_fleet(request).output == expected
    # The tagging API lists deleted resources for a while: they are no failure.
    answer = {"ResourceTagMappingList": [{"ResourceARN": f"arn:image-builder/{name}"} for name in ("b1", "b3", "old")]}
    paginator = SimpleNamespace(paginate=lambda **_: SimpleNamespace(build_full_result=lambda: answer))
    tagging = SimpleNamespace(get_paginator=lambda name: paginator)
    with patch.object(list_image_builders, "tagging", lambda: tagging):
        assert world.run_fleet(request).output == {**expected, "Gone": ["old"]}
    assert world.topic.messages == []


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"ImageBuilders": []}, "ImageBuilders: must be a list of 1 to 1000"),
        ({"ImageBuilders": [f"b{number}" for number in range(1_001)]}, "not 1001"),
        ({"Tag": {"Key": "Patch", "Value": "never"}}, "none has it"),
        (7, "the input must be a JSON object"),
    ],
)
def test_a_refused_fleet_starts_nothing_and_notifies_once(world: World, request_: Any, problem: str) -> None:
    fleet = world.run_fleet(request_)
    assert (fleet.status, fleet.error, fleet.cause["Route"]) == ("FAILED", "InvalidRequest", "fail")
    assert problem in fleet.cause["Message"]
    assert fleet.cause["Advice"].startswith("Fix the fields")
    assert world.fleet
    assert world.fleet.started == []
    assert len(world.topic.messages) == 1
    assert fleet.states.count("List image builders") == 1


@pytest.mark.parametrize("operation", ["GetResources", "DescribeImageBuilders"])
def test_a_tag_whose_image_builders_cannot_be_listed_is_retried_then_notified(world: World, operation: str) -> None:
    throttled = {"operation": operation, "error": {"code": "ThrottledException", "message": "Slow down."}}
    request = {"Tag": {"Key": "k", "Value": "v"}, "Defaults": {"DryRun": True}, **ONE_AT_A_TIME}
    world.fake.put_builder("a", tags={"k": "v"})
    world.fake.faults.add(Fault.parse({**throttled, "times": 6}))
    assert world.run_fleet(request).status == "SUCCEEDED"
    world.fake.faults.add(Fault.parse({**throttled, "times": None}))
    fleet = world.run_fleet(request)
    assert (fleet.error, fleet.cause["Route"]) == ("ThrottlingException", "notify")
    assert fleet.cause["Message"] == "ThrottledException: Slow down."
    assert len(world.topic.messages) == 1


def test_a_refused_call_is_not_retried(world: World) -> None:
    world.fake.faults.add(Fault.parse({"operation": "GetResources", "error": {"code": "AccessDenied"}}))
    fleet = world.run_fleet({"Tag": {"Key": "k", "Value": "v"}})
    assert (fleet.error, fleet.cause["Route"]) == ("AccessDeniedException", "notify")
    assert [event["type"] for event in fleet.history].count("TaskScheduled") == 2  # with the notification


@pytest.mark.parametrize("text", ["", "{odd", '{"errorMessage": 7}', '{"errorMessage": "{\\"Message\\": 1}"}'])
def test_a_fleet_whose_function_cannot_be_reached_has_the_general_advice(world: World, text: str) -> None:
    world.engine.script["list_image_builders"] = [lambda *_: function_error("Lambda.Unknown", text)] * 5
    fleet = world.run_fleet({"ImageBuilders": ["a"]})
    assert (fleet.error, fleet.cause["Route"]) == ("Lambda.Unknown", "notify")
    assert fleet.cause["Message"]
    assert "start the fleet again" in fleet.cause["Advice"]
    assert len(world.topic.messages) == 1


def test_a_thousand_fit_into_the_quotas_even_when_all_fail(world: World) -> None:
    names = [f"{number:03}".ljust(101, "n") for number in range(1_000)]
    cause = {"Name": "n", "Route": "notify", "Message": "m" * 8_000, "Advice": "Do."}
    end = ends("FAILED", error="E" * 80, cause=cause)
    fleet = world.run_fleet({"ImageBuilders": names}, lambda parameters: end, name="f" * 80)
    assert (fleet.status, fleet.error) == ("FAILED", "FleetStartIncomplete")
    assert (fleet.cause["Failed"], len(fleet.cause["Results"]), len(results(fleet))) == (1_000, 120, 1_000)
    assert world.fleet
    started = {each["Name"] for each in world.fleet.started}
    # Source: AWS Step Functions API reference, StartExecution, name: each leaves room for its auto-stop.
    assert (len(started), max(len(f"{name}-stop-9") for name in started)) == (1_000, 80)
    # Source: AWS Step Functions developer guide, Service quotas; API reference, ExecutionFailedEventDetails.
    assert len(fleet.cause_text) <= 32_768
    for event in fleet.history:
        for details in event.values():
            if isinstance(details, dict):
                assert all(len(str(value).encode()) <= 262_144 for value in details.values())


def test_a_child_without_a_result_counts_as_failed_and_is_named_first(world: World) -> None:
    """A child of the Map state can fail where nothing catches it: then there is no result of it."""
    definition = json.loads(definition_of(FLEET))
    found = definition["States"]["Start each image builder"]["Assign"]["found"].replace(
        "$states.result", "$states.input"
    )
    requests = [{"Name": name} for name in ("a", "b", "c", 7)]
    start = {"requests": requests, "found": found, "gone": [], "summary": {}, "notified": False}
    definition["States"]["Take"] = {"Type": "Pass", "Assign": start, "Next": "Count results"}
    definition["StartAt"] = "Take"
    for state in ("List image builders", "Start each image builder", "Read error"):
        del definition["States"][state]
    world.engine.definition = json.dumps(definition)
    failed = {"Index": 0, "Name": "a", "Outcome": "Failed", "Error": "X", "Notified": True}
    fleet = world.run([failed, None, {"Index": 2, "Name": "c", "Outcome": "Running"}, None])
    assert (fleet.cause["Requested"], fleet.cause["Running"], fleet.cause["Failed"]) == (4, 1, 3)
    assert fleet.cause["Message"] == (
        "3 of 4 image builders failed: b (NoResult, without a message of its own), request 3 (NoResult, without a "
        "message of its own), a (X)."
    )
    assert [(each["Index"], each["Name"]) for each in fleet.cause["Results"]] == [(1, "b"), (3, None), (0, "a")]
    assert len(world.topic.messages) == 1
    fleet = world.run([{"Index": 2, "Name": "c", "Outcome": "Running"}])
    assert (fleet.cause["Running"], fleet.cause["Failed"]) == (1, 3)
    assert world.run([]).cause["Failed"] == 4
