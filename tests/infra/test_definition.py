"""The state machine's definition, read as data: what no run on an engine can show."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from cli.definition import FLEET, START, STOP, SUBSTITUTIONS, definition
from tests.infra.conftest import PROJECT, TOOLS, Assembly

DEFINITION: dict[str, Any] = json.loads(START.read_text("utf-8"))
STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
STOP_STATES: dict[str, dict[str, Any]] = json.loads(STOP.read_text("utf-8"))["States"]
FLEET_STATES: dict[str, dict[str, Any]] = json.loads(FLEET.read_text("utf-8"))["States"]
TASKS = {
    f"{state}, {source.name}": definition
    for source, states in ((START, STATES), (STOP, STOP_STATES), (FLEET, FLEET_STATES))
    for state, definition in states.items()
    if definition["Type"] == "Task"
}


def routes(states: dict[str, dict[str, Any]] = STATES) -> dict[str, list[str]]:
    """Every error that a condition of the error Choice names, with the states it can go to."""
    found: dict[str, list[str]] = {}
    for rule in states["Route error"]["Choices"]:
        for error in re.findall(r"'([A-Z][A-Za-z]+)'", rule["Condition"]):
            found.setdefault(error, []).append(rule["Next"])
    return found


@pytest.mark.xdist_group("infra")
def test_the_template_holds_the_definitions_inline_with_their_substitutions(assembly: Assembly) -> None:
    found = [machine["Properties"] for machine in assembly.resources("AWS::StepFunctions::StateMachine").values()]
    machines = {text: machine for machine in found if (text := machine["DefinitionString"])}
    assert {json.dumps(json.loads(text)) for text in machines} == {
        json.dumps(json.loads(source.read_text("utf-8"))) for source in (START, STOP, FLEET)
    }
    for text, machine in machines.items():
        assert set(machine["DefinitionSubstitutions"]) == placeholders(text)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"\$\{(\w+)\}", text))


def test_every_placeholder_is_substituted() -> None:
    used = set()
    for source in (START, STOP, FLEET):
        assert "${" not in definition(source)
        used |= placeholders(source.read_text("utf-8"))
    assert used == set(SUBSTITUTIONS)


@pytest.mark.parametrize("source", [START, STOP, FLEET], ids=lambda source: source.name)
def test_asl_validator_accepts_it(source: Path, tmp_path: Path) -> None:
    resolved = tmp_path / "definition.asl.json"
    resolved.write_text(definition(source))
    validator = PROJECT / "node_modules" / ".bin" / "asl-validator"
    outcome = subprocess.run(
        [str(validator), "--json-path", str(resolved)],
        env={"PATH": TOOLS},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout_retries_and_catches_what_is_left(name: str) -> None:
    task = TASKS[name]
    # Above the functions' own timeout of 80 seconds, so that Lambda's error, which says more, comes first.
    assert task["TimeoutSeconds"] == 90
    assert task["Retry"]
    assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("handlers", ["Retry", "Catch"])
def test_states_all_stands_alone_and_last(name: str, handlers: str) -> None:
    *before, _ = TASKS[name][handlers]
    assert all("States.ALL" not in handler["ErrorEquals"] for handler in before)
    assert all(
        handler["ErrorEquals"] == ["States.ALL"]
        for handler in TASKS[name][handlers]
        if "States.ALL" in handler["ErrorEquals"]
    )


@pytest.mark.parametrize("name", TASKS)
def test_no_error_has_two_retriers(name: str) -> None:
    named = [error for retrier in TASKS[name]["Retry"] for error in retrier["ErrorEquals"]]
    assert len(named) == len(set(named))


def test_all_calls_of_appstream_are_retried_alike() -> None:
    start = STATES["Start image builder"]["Retry"]
    assert STATES["Poll image builder"]["Retry"] == start
    assert STOP_STATES["Poll image builder"]["Retry"] == start
    assert STOP_STATES["Stop image builder"]["Retry"] == start


def test_what_the_workflows_share_they_do_alike() -> None:
    assert STOP_STATES["Validate request"]["Retry"] == STATES["Validate request"]["Retry"]
    for states, end in ((STOP_STATES, "Fail execution"), (FLEET_STATES, "Fail execution")):
        for member in ("Arguments", "Retry", "Resource", "TimeoutSeconds"):
            assert states["Notify operators"][member] == STATES["Notify operators"][member]
        assert states[end] == STATES["Fail execution"]
        for member in ("Error", "Route", "Message"):
            expressions = (each["Read error"]["Assign"]["failure"][member] for each in (states, STATES))
            assert len(set(expressions)) == 1


def test_errors_that_both_workflows_route_go_the_same_way() -> None:
    stop, start = routes(STOP_STATES), routes()
    assert set(stop) <= set(start)
    for states in (STATES, STOP_STATES):
        for rule in states["Route error"]["Choices"]:
            assert "'Route': 'fail'" not in str(rule.get("Assign", {})) or "Fail:" in rule["Comment"]


def test_the_tasks_share_the_retries_for_faults_of_lambda_itself() -> None:
    (check,) = STATES["Validate request"]["Retry"]
    (start,) = STATES["Start image builder"]["Retry"]
    assert start["ErrorEquals"][: len(check["ErrorEquals"])] == check["ErrorEquals"]
    assert {key: value for key, value in check.items() if key != "ErrorEquals"} == {
        key: value for key, value in start.items() if key != "ErrorEquals"
    }


def test_every_error_that_botocore_models_for_the_calls_has_a_route() -> None:
    service = botocore.session.get_session().get_service_model("appstream")
    modelled = {
        shape.name
        for operation in ("StartImageBuilder", "DescribeImageBuilders")
        for shape in service.operation_model(operation).error_shapes
    }
    (retrier,) = STATES["Start image builder"]["Retry"]
    unknown = modelled - set(routes()) - set(retrier["ErrorEquals"])
    assert unknown == set(), "new errors: give each a route in 'Route error'"


def transitions(states: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, state in states.items():
        for rule in [state, *state.get("Choices", []), *state.get("Catch", [])]:
            if "Next" in rule:
                yield name, rule["Next"]
        if "Default" in state:
            yield name, state["Default"]


DECIDE = "Evaluate builder state"
BOUNDED = {
    # Five attempts at most.
    (DECIDE, "Start image builder"),
    # Once: there is a guard then.
    (DECIDE, "Schedule auto-stop"),
    # Once accepted, it is not tried again.
    ("Stop image builder", DECIDE),
}


@pytest.mark.parametrize("states", [STATES, STOP_STATES], ids=["start", "stop"])
def test_no_loop_goes_round_without_a_wait(states: dict[str, dict[str, Any]]) -> None:
    steps = [step for step in transitions(states) if step not in BOUNDED]
    waits = {name for name, state in states.items() if state["Type"] == "Wait"}
    reached = {name: {name} for name in states}
    for _ in states:
        for source, target in steps:
            if target not in waits:
                for seen in reached.values():
                    if source in seen:
                        seen.add(target)
    for source, target in steps:
        assert target in waits or source not in reached[target], f"{source} -> {target} closes a loop without a wait"


def longest_seconds() -> float:
    """How long an execution can last at most: all waiting, and all retries of all tasks, each at its timeout."""
    deadline = 720 * 60
    pauses, waited = 0, 0
    while waited < deadline:
        waited += min(max(10, waited // 40), 300, deadline - waited)
        pauses += 1
    retrier = STATES["Poll image builder"]["Retry"][0]
    intervals = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"])
        for n in range(retrier["MaxAttempts"])
    ]
    task = sum(intervals) + (retrier["MaxAttempts"] + 1) * 90
    return float(deadline + (pauses + 5 + 2) * task)


def test_the_backstop_is_above_the_longest_execution_but_not_far() -> None:
    assert longest_seconds() < DEFINITION["TimeoutSeconds"] < 2 * longest_seconds()


def test_the_backstop_of_a_stop_is_above_the_longest_one() -> None:
    longest = (10_080 + 720) * 60
    tasks = (10_080 * 60 / 240 + 720 * 60 / 30) * (75 + 5 * 90)
    assert longest < json.loads(STOP.read_text("utf-8"))["TimeoutSeconds"] < longest + tasks


def test_the_cause_stays_below_its_limit() -> None:
    # 32,768 characters. Source: Step Functions API reference, Fail state and SendTaskFailure, cause.
    assert "$substring($text, 0, 8000)" in STATES["Read error"]["Assign"]["failure"]["Message"]
