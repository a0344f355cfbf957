"""The workflow that starts many, in process: each of its runs is really run, or ends as a test says."""

import json
from typing import Any

import pytest

from cli.definition import FLEET
from cli.definition import definition as definition_of
from local.fake_appstream.faults import Fault
from tests.workflow.conftest import World
from tests.workflow.engine import ARN, Execution

ONE_AT_A_TIME = {"MaxConcurrency": 1}


def ends(status: str = "SUCCEEDED", *, error: str = "", cause: Any = "") -> Execution:
    text = cause if isinstance(cause, str) else json.dumps(cause)
    return Execution(status, {"Outcome": "Running", "Started": True}, error, text, [])


def test_each_is_a_run_of_its_own_and_the_results_keep_the_order(world: World) -> None:
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
    (guard,) = world.engine.started
    assert json.loads(guard["Input"])["Name"] == "a"


def test_defaults_are_those_of_a_request_that_does_not_say_itself(world: World) -> None:
    asked: list[Any] = []

    def nested(parameters: dict[str, str]) -> Execution:
        asked.append(json.loads(parameters["Input"]))
        return ends()

    defaults = {"TimeoutMinutes": 30, "StopOnFailure": True}
    request = {"ImageBuilders": ["a", {"Name": "b", "TimeoutMinutes": 90}], "Defaults": defaults, **ONE_AT_A_TIME}
    assert world.run_fleet(request, nested).status == "SUCCEEDED"
    fleet = {"AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": ARN.replace("StartImageBuilder", "StartFleet")}
    defaults["PollIntervalSeconds"] = 23
    assert asked == [{"Name": "a", **defaults, **fleet}, {"Name": "b", **defaults, "TimeoutMinutes": 90, **fleet}]


def test_a_fleet_takes_turns_to_start_four_a_second(world: World) -> None:
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


def test_one_failure_stops_no_other_and_each_is_told_and_the_fleet_too(world: World) -> None:
    world.fake.put_builder("good")
    world.fake.put_builder("broken", state="FAILED")
    bad = {"Name": "bad", "Nmae": 1}
    fleet = world.run_fleet({"ImageBuilders": ["broken", bad, 7, "missing", "good"], **ONE_AT_A_TIME})
    assert (fleet.status, fleet.error) == ("FAILED", "FleetStartIncomplete")
    cause = fleet.cause
    assert (cause["Requested"], cause["Running"], cause["Failed"]) == (5, 1, 4)
    assert [(result["Index"], result["Name"], result["Error"]) for result in cause["Results"]] == [
        (0, "broken", "ImageBuilderFailed"),
        (1, "bad", "InvalidRequest"),
        (2, None, "InvalidRequest"),
        (3, "missing", "ResourceNotFoundException"),
    ]
    assert cause["Message"] == (
        "4 of 5 image builders failed: broken (ImageBuilderFailed), bad (InvalidRequest), request 2 (InvalidRequest), "
        "missing (ResourceNotFoundException)."
    )
    assert (cause["Route"], cause["Aim"], cause["OperatorsNotified"]) == ("notify", "fleet", True)
    *own, summary = (message["Subject"] for message in world.topic.messages)
    assert len(own) == 4
    assert summary == "Not all image builders of a fleet started: FleetStartIncomplete"


def test_the_whole_list_is_in_the_history_with_what_failed_and_why(world: World) -> None:
    cause = {"Name": "b", "Route": "notify", "Message": "It is the trouble. " * 100, "Advice": "Do."}

    def nested(parameters: dict[str, str]) -> Execution:
        return ends("FAILED", error="ImageBuilderFailed", cause=cause) if parameters["Name"] == "test-1" else ends()

    fleet = world.run_fleet({"ImageBuilders": ["a", "b"], **ONE_AT_A_TIME}, nested)
    (counted,) = (
        json.loads(event["stateExitedEventDetails"]["assignedVariables"]["summary"])
        for event in fleet.history
        if event.get("stateExitedEventDetails", {}).get("name") == "Count results"
    )
    failed = counted["Results"][1]
    assert failed["Message"] == cause["Message"][:1_000]


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        (ends("ABORTED"), "ABORTED", ""),
        (ends("TIMED_OUT", error="States.Timeout"), "States.Timeout", ""),
        (ends("FAILED", error="Odd", cause="no JSON"), "Odd", "no JSON"),
        (ends("FAILED", error="Odd", cause="{no JSON"), "Odd", "{no JSON"),
        (ends("FAILED", error="E" * 80, cause={"Message": 7}), "E" * 60, '{"Message": 7}'),
    ],
)
def test_whatever_becomes_of_a_run_has_a_result(world: World, end: Execution, error: str, message: str) -> None:
    fleet = world.run_fleet({"ImageBuilders": ["a"]}, lambda parameters: end)
    assert fleet.cause["Results"] == [{"Index": 0, "Name": "a", "Outcome": "Failed", "Error": error}]
    (results,) = (
        json.loads(event["stateEnteredEventDetails"]["input"])
        for event in fleet.history
        if event.get("stateEnteredEventDetails", {}).get("name") == "Count results"
    )
    assert results[0]["Message"] == message


def test_a_tag_selects(world: World) -> None:
    for number in range(5):
        world.fake.put_builder(f"b{number}", tags={"Patch": "tuesday" if number % 2 else "friday"})
    fleet = world.run_fleet(
        {"Tag": {"Key": "Patch", "Value": "tuesday"}, "Defaults": {"DryRun": True}, **ONE_AT_A_TIME}
    )
    assert fleet.status == "SUCCEEDED", fleet
    assert fleet.output == {
        "Requested": 2,
        "Running": 0,
        "Failed": 0,
        "Results": [
            {"Index": 0, "Name": "b1", "Outcome": "DryRun", "Route": "start"},
            {"Index": 1, "Name": "b3", "Outcome": "DryRun", "Route": "start"},
        ],
    }


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"ImageBuilders": []}, "ImageBuilders: must be a list of 1 to 1000"),
        ({"ImageBuilders": [f"b{number}" for number in range(1_001)]}, "not 1001"),
        ({"Tag": {"Key": "Patch", "Value": "never"}}, "none does"),
    ],
)
def test_a_refused_fleet_starts_nothing_and_is_told(world: World, request_: Any, problem: str) -> None:
    fleet = world.run_fleet(request_)
    assert (fleet.status, fleet.error, fleet.cause["Route"]) == ("FAILED", "InvalidRequest", "fail")
    assert problem in fleet.cause["Message"]
    assert world.fleet
    assert world.fleet.started == []
    assert len(world.topic.messages) == 1


def test_a_tag_that_cannot_be_looked_up_is_tried_again_and_then_told(world: World) -> None:
    trouble = {"operation": "GetResources", "error": {"code": "ThrottledException", "message": "Slow down."}}
    world.fake.put_builder("a", tags={"k": "v"})
    world.fake.faults.add(Fault.parse({**trouble, "times": 6}))
    assert world.run_fleet({"Tag": {"Key": "k", "Value": "v"}, **ONE_AT_A_TIME}).status == "SUCCEEDED"
    world.fake.faults.add(Fault.parse({**trouble, "times": None}))
    fleet = world.run_fleet({"Tag": {"Key": "k", "Value": "v"}, **ONE_AT_A_TIME})
    assert (fleet.error, fleet.cause["Route"]) == ("TaggingUnavailable", "notify")
    assert "Slow down." in fleet.cause["Message"]
    assert len(world.topic.messages) == 1


def test_a_thousand_fit_into_the_quotas_even_when_all_fail(world: World) -> None:
    names = [f"{number:03}".ljust(101, "n") for number in range(1_000)]
    cause = {"Name": "n", "Route": "notify", "Message": "m" * 8_000, "Advice": "Do."}
    end = ends("FAILED", error="E" * 80, cause=cause)
    fleet = world.run_fleet({"ImageBuilders": names}, lambda parameters: end)
    assert (fleet.status, fleet.error) == ("FAILED", "FleetStartIncomplete")
    assert (fleet.cause["Failed"], len(fleet.cause["Results"])) == (1_000, 120)
    # Source: AWS Step Functions developer guide, Service quotas; API reference, ExecutionFailedEventDetails.
    assert len(fleet.cause_text) <= 32_768
    for event in fleet.history:
        for details in event.values():
            if isinstance(details, dict):
                assert all(len(str(value).encode()) <= 262_144 for value in details.values())


def test_results_that_are_missing_count_as_failed(world: World) -> None:
    """A child of the Map state can break off by what nothing catches: then there is no result of it."""
    definition = json.loads(definition_of(FLEET))
    count = definition["States"]["Count results"]
    definition["States"] = {
        "Take": {
            "Type": "Pass",
            "Assign": {"requests": [{"Name": "a"}, {"Name": "b"}, {"Name": "c"}]},
            "Next": "Count",
        },
        "Count": {**count, "Next": "End"},
        "End": {"Type": "Pass", "Output": "{% $summary %}", "End": True},
    }
    definition["StartAt"] = "Take"
    world.engine.definition = json.dumps(definition)
    for results in (
        [None, {"Index": 1, "Name": "b", "Outcome": "Running"}, None],
        [{"Index": 1, "Outcome": "Running"}],
    ):
        output = world.run(results).output
        assert (output["Requested"], output["Running"], output["Failed"]) == (3, 1, 2)
        assert [result.get("Error") for result in output["Results"]] == ["NoResult", None, "NoResult"]
