"""The fleet workflow, in process: each of its executions really runs, or ends as a test says."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.eval.environment import Environment

from cli import definition as definitions
from lambdas import list_image_builders
from local.fake_appstream.faults import Fault
from tests.workflow.conftest import FLEET_ARN, World
from tests.workflow.engine import Execution, run_handler, service_error
from tests.workflow.scripted import fails

LIST = "list_image_builders"


def ends(status: str = "SUCCEEDED", *, error: str = "", cause: Any = "") -> Execution:
    text = cause if isinstance(cause, str) else json.dumps(cause)
    return Execution(status, {"Outcome": "Running", "Started": True}, error, text, [])


def run(world: World, nested: Callable[[dict[str, str]], Execution] | None = None, **request: Any) -> Execution:
    """Run a fleet one image builder after another, if nothing else is said."""
    return world.run_fleet({"MaxConcurrency": 1, **request}, nested)


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
    fleet = run(world, ImageBuilders=["b", {"Name": "a", "StopAfterMinutes": 30}, "b"])
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
    assert world.scheduled == ["test-0", "test-1", "test-stop-1"]
    assert {started["StateMachineArn"].rpartition(":")[2] for started in world.engine.started} == {"live"}
    assert json.loads(world.engine.started[-1]["Input"])["Name"] == "a"


def test_a_default_is_for_requests_that_do_not_have_the_field(world: World) -> None:
    defaults = {"TimeoutMinutes": 30, "StopOnFailure": True}
    run(world, lambda _: ends(), ImageBuilders=["a", {"Name": "b", "TimeoutMinutes": 90}], Defaults=defaults)
    added = {"PollIntervalSeconds": 23, "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": FLEET_ARN}
    assert [json.loads(each["Input"]) for each in world.engine.started] == [
        {"Name": "a", **defaults, **added},
        {"Name": "b", **defaults, "TimeoutMinutes": 90, **added},
    ]


@pytest.mark.parametrize(("options", "waits"), [({}, [0] * 5 + [1] * 4 + [2]), ({"MaxConcurrency": 6}, [0] * 9 + [1])])
def test_a_fleet_spreads_its_starts_to_four_or_five_a_second(
    world: World, options: dict[str, int], waits: list[int]
) -> None:
    world.run_fleet({"ImageBuilders": [f"b{number}" for number in range(10)], **options}, lambda _: ends())
    assert sorted(world.pauses) == waits


def test_a_failure_stops_no_other_start_and_has_one_message(world: World) -> None:
    world.fake.put_builder("good")
    world.fake.put_builder("broken", state="FAILED")
    fleet = run(world, ImageBuilders=["broken", {"Name": "bad", "Nmae": 1}, 7, "missing", "good"])
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
    world.plan({"StartExecution": [service_error("StartExecution", "AccessDenied")]})
    fleet = run(world, ImageBuilders=["b", "broken"])
    assert fleet.cause["Message"] == (
        "2 of 2 image builders failed: b (StepFunctions.AccessDeniedException, without a message of its own), "
        "broken (ImageBuilderFailed)."
    )
    assert fleet.cause["OperatorsNotified"] is True
    own, summary = (message["Subject"] for message in world.topic.messages)
    assert own.startswith("[FAILED] broken")
    assert summary == "[FAILED] fleet, FleetStartIncomplete, us-east-1, 000000000000"


def test_a_failure_is_a_result_even_where_no_function_answers(world: World) -> None:
    world.plan({LIST: [run_handler, *[fails("OddError")] * 7]})
    fleet = run(world, lambda _: ends("FAILED", error="E", cause="{odd}"), ImageBuilders=["a"])
    assert results(fleet) == [
        {"Index": 0, "Name": "a", "Outcome": "Failed", "Error": "States.TaskFailed", "Notified": False}
    ]
    message = "1 of 1 image builders failed: a (States.TaskFailed, without a message of its own)."
    assert fleet.cause["Message"] == message


@pytest.mark.parametrize(
    ("end", "error", "message"),
    [
        (ends("ABORTED", cause="{maintenance window}"), "Aborted", "{maintenance window}"),
        (ends("FAILED", error="Odd", cause={"Message": "It is broken. " * 100}), "Odd", "It is broken. It is broken."),
    ],
)
def test_an_execution_that_ends_in_any_way_has_a_result(world: World, end: Execution, error: str, message: str) -> None:
    fleet = run(world, lambda _: end, ImageBuilders=["a"])
    assert fleet.cause["Results"] == [{"Index": 0, "Name": "a", "Outcome": "Failed", "Error": error}]
    assert message in results(fleet)[0]["Message"][:1_000] == results(fleet)[0]["Message"]
    # Its own status change event has the message.
    assert world.topic.messages == []


def test_a_tag_selects_and_what_is_gone_is_named(world: World) -> None:
    for number in range(5):
        world.fake.put_builder(f"b{number}", tags={"Patch": "tuesday" if number % 2 else "friday"})
    request: dict[str, Any] = {"Tag": {"Key": "Patch", "Value": "tuesday"}, "Defaults": {"DryRun": True}}
    expected = {
        "Requested": 2,
        "Running": 0,
        "Failed": 0,
        "Results": [
            {"Index": 0, "Name": "b1", "Outcome": "DryRun", "Route": "start"},
            {"Index": 1, "Name": "b3", "Outcome": "DryRun", "Route": "start"},
        ],
    }
    assert run(world, **request).output == expected
    # The tagging API lists deleted resources for a while: they are no failure.
    answer = {"ResourceTagMappingList": [{"ResourceARN": f"arn:image-builder/{name}"} for name in ("b1", "b3", "old")]}
    paginator = SimpleNamespace(paginate=lambda **_: SimpleNamespace(build_full_result=lambda: answer))
    tagging = SimpleNamespace(get_paginator=lambda name: paginator)
    with patch.object(list_image_builders, "tagging", tagging):
        assert run(world, **request).output == {**expected, "Gone": ["old"]}
    assert world.topic.messages == []


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        ({"ImageBuilders": []}, "ImageBuilders: must be a list of 1 to 1000"),
        ({"ImageBuilders": [f"b{number}" for number in range(1_001)]}, "not 1001"),
        ({"Tag": {"Key": "Patch", "Value": "never"}}, "not 0"),
        (7, "the input must be a JSON object"),
    ],
)
def test_a_refused_fleet_starts_nothing_and_notifies_once(world: World, request_: Any, problem: str) -> None:
    fleet = world.run_fleet(request_)
    assert world.failure(fleet) == ("InvalidRequest", "fail", 1)
    assert problem in fleet.cause["Message"]
    assert fleet.cause["Advice"].startswith("Fix the fields")
    assert (world.scheduled, world.pauses) == ([], [])


@pytest.mark.parametrize("operation", ["GetResources", "DescribeImageBuilders"])
def test_a_tag_whose_image_builders_cannot_be_listed_is_retried_then_notified(world: World, operation: str) -> None:
    world.fake.put_builder("a", tags={"k": "v"})
    request: dict[str, Any] = {"Tag": {"Key": "k", "Value": "v"}, "Defaults": {"DryRun": True}}
    throttled = {"operation": operation, "error": {"code": "ThrottledException", "message": "No."}}
    world.fake.faults.append(Fault.parse({**throttled, "times": 6}))
    assert run(world, **request).status == "SUCCEEDED"
    world.fake.faults.append(Fault.parse({**throttled, "times": None}))
    fleet = run(world, **request)
    assert world.failure(fleet) == ("ThrottlingException", "notify", 1)
    assert fleet.cause["Message"] == "ThrottledException: No."


def test_a_thousand_fit_into_the_quotas_even_when_all_fail(world: World) -> None:
    names = [f"{number:03}".ljust(101, "n") for number in range(1_000)]
    cause = {"Name": "n", "Route": "notify", "Message": "m" * 8_000, "Advice": "Do."}
    end = ends("FAILED", error="E" * 80, cause=cause)
    fleet = world.run_fleet({"ImageBuilders": names}, lambda _: end, arn=FLEET_ARN.replace(":test", f":{'f' * 80}"))
    assert fleet.error == "FleetStartIncomplete"
    assert (fleet.cause["Failed"], len(fleet.cause["Results"]), len(results(fleet))) == (1_000, 120, 1_000)
    # Source: AWS Step Functions API reference, StartExecution, name: each leaves room for its auto-stop.
    started = set(world.scheduled)
    assert (len(started), max(len(f"{name}-stop-9") for name in started)) == (1_000, 80)
    # Source: AWS Step Functions developer guide, Service quotas; API reference, ExecutionFailedEventDetails.
    assert len(fleet.cause_text) <= 32_768
    details = [member for event in fleet.history for member in event.values() if isinstance(member, dict)]
    assert all(len(str(value).encode()) <= 262_144 for member in details for value in member.values())


def test_a_long_name_of_a_fleet_or_of_a_request_is_cut(world: World) -> None:
    started: list[dict[str, str]] = []

    def fail(parameters: dict[str, str]) -> Execution:
        started.append(parameters)
        return ends("FAILED", error="X")

    # The function lists the image builders, and cannot read the failure.
    world.plan({LIST: [run_handler, *[fails("KeyError")] * 7]})
    arn = FLEET_ARN.replace(":test", f":{'f' * 80}")
    fleet = world.run_fleet({"ImageBuilders": ["n" * 102], "MaxConcurrency": 1}, fail, arn=arn)
    assert [each["Name"] for each in started] == ["f" * 69 + "-0"]
    assert fleet.cause["Results"][0]["Name"] == "n" * 101


def test_a_map_state_that_fails_itself_fails_the_fleet(world: World) -> None:
    def fail(self: StateMap, env: Environment) -> None:
        name = StatesErrorName(StatesErrorNameType.StatesTaskFailed)
        details: Any = {"taskFailedEventDetails": {"error": name.error_name, "cause": "No Map Run."}}
        raise FailureEventException(FailureEvent(env, name, HistoryEventType.MapRunFailed, details))

    with patch.object(StateMap, "_eval_execution", fail):
        fleet = run(world, ImageBuilders=["a"])
    assert world.failure(fleet) == ("StatesTaskFailed", "notify", 1)
    assert fleet.cause["Message"] == "No Map Run."


@pytest.mark.parametrize(("failures", "end"), [(20, "image-19 (X)."), (21, "image-19 (X), and 1 more.")])
def test_a_message_names_twenty_failures_and_counts_the_rest(world: World, failures: int, end: str) -> None:
    names = [f"image-{number}" for number in range(failures)]
    failed = ends("FAILED", error="X", cause={"OperatorsNotified": True})
    running = Execution("SUCCEEDED", {"Outcome": "AlreadyRunning", "Started": False}, "", "", [])
    fleet = run(
        world,
        lambda started: running if "there" in started["Input"] else failed,
        ImageBuilders=["there", *names],
    )
    assert (fleet.cause["Running"], fleet.cause["Failed"]) == (1, failures)
    assert fleet.cause["Message"].endswith(end)


def test_a_child_without_a_result_counts_as_failed_and_is_named_first(world: World) -> None:
    """A child of the Map state can fail where nothing catches it: then there is no result of it."""
    fleet = json.loads(definitions.definition(definitions.FLEET))
    states = fleet["States"]
    found = states["Start each image builder"]["Assign"]["found"].replace("$states.result", "$states.input")
    long, cut = f"a{'b' * 101}", f"a{'b' * 100}"
    requests = [{"Name": name} for name in ("a", long, "c", 7)]
    variables = {"requests": requests, "found": found, "gone": [], "summary": {}, "notified": False}
    states["Take"] = {"Type": "Pass", "Assign": variables, "Next": "Count results"}
    fleet["StartAt"] = "Take"
    for state in ("List image builders", "Start each image builder", "Read error"):
        del states[state]
    world.engine.definition = json.dumps(fleet)
    failed = {"Index": 0, "Name": "a", "Outcome": "Failed", "Error": "X", "Notified": True}
    cause = world.run([failed, None, {"Index": 2, "Name": "c", "Outcome": "Running"}, None]).cause
    assert (cause["Requested"], cause["Running"], cause["Failed"]) == (4, 1, 3)
    assert cause["Message"] == (
        f"3 of 4 image builders failed: {cut} (NoResult, without a message of its own), request 3 (NoResult, without a "
        "message of its own), a (X)."
    )
    assert [(each["Index"], each["Name"]) for each in cause["Results"]] == [(1, cut), (3, None), (0, "a")]
    assert len(world.topic.messages) == 1
    cause = world.run([{"Index": 2, "Name": "c", "Outcome": "Running"}]).cause
    assert (cause["Running"], cause["Failed"]) == (1, 3)
    assert world.run([]).cause["Failed"] == 4
