"""The state machines' definitions, read as data: what no run on an engine can show."""

import json
import re
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import pytest

from cli.definition import FLEET, START, STOP, SUBSTITUTIONS, definition, formatted
from lambdas.image_builder.errors import ALIASES, ERRORS
from tests.infra.conftest import PROJECT, TOOLS, Assembly

DEFINITION: dict[str, Any] = json.loads(START.read_text("utf-8"))
STATES: dict[str, dict[str, Any]] = DEFINITION["States"]
STOP_STATES: dict[str, dict[str, Any]] = json.loads(STOP.read_text("utf-8"))["States"]
FLEET_STATES: dict[str, dict[str, Any]] = json.loads(FLEET.read_text("utf-8"))["States"]
SOURCES = pytest.mark.parametrize("source", [START, STOP, FLEET], ids=lambda source: source.name)


def nested(states: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in states.items():
        yield name, state
        yield from nested(state.get("ItemProcessor", {}).get("States", {}))


TASKS = {
    f"{name}, {source.name}": state
    for source, states in ((START, STATES), (STOP, STOP_STATES), (FLEET, FLEET_STATES))
    for name, state in nested(states)
    if state["Type"] == "Task"
}
# Tasks that their loop repeats: they have no Retry.
LOOPS = ("Poll image builder", "Stop image builder")


def expressions(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every JSONata expression, with where it stands."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield from expressions(member, f"{path}/{key}")
    elif isinstance(value, list):
        for index, member in enumerate(value):
            yield from expressions(member, f"{path}/{index}")
    elif isinstance(value, str) and value.startswith("{%"):
        yield path, value[2:-2].strip()


@pytest.mark.xdist_group("infra")
def test_the_template_holds_the_definitions_inline_with_their_substitutions(assembly: Assembly) -> None:
    machines = assembly.properties("AWS::StepFunctions::StateMachine")
    definitions = [json.loads(machine["DefinitionString"]) for machine in machines]
    assert all(json.loads(source.read_text("utf-8")) in definitions for source in (START, STOP, FLEET))
    for machine in machines:
        assert set(machine["DefinitionSubstitutions"]) == set(re.findall(r"\$\{(\w+)\}", machine["DefinitionString"]))
    assert {name for machine in machines for name in machine["DefinitionSubstitutions"]} == set(SUBSTITUTIONS)


@pytest.mark.needs("Node packages")
@SOURCES
def test_asl_validator_accepts_it(source: Path, tmp_path: Path) -> None:
    resolved = tmp_path / "definition.asl.json"
    resolved.write_text(definition(source))
    validator = [str(PROJECT / "node_modules" / ".bin" / "asl-validator"), "--json-path", str(resolved)]
    outcome = subprocess.run(validator, env={"PATH": TOOLS}, capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


@SOURCES
def test_it_is_formatted_and_explains_itself_in_five_lines(source: Path) -> None:
    text = source.read_text("utf-8")
    assert text == formatted(text), "run `python -m cli.definition --format`"
    first, *steps = json.loads(text)["Comment"].splitlines()
    assert first.endswith(".")
    assert [line[:2] for line in steps] == ["1.", "2.", "3.", "4.", "5."]


@pytest.mark.parametrize("source", [START, STOP], ids=lambda source: source.name)
def test_expressions_are_short_but_for_the_one_that_reads_a_cause(source: Path) -> None:
    found = dict(expressions(json.loads(source.read_text("utf-8"))))
    long = {path for path, expression in found.items() if len(expression) > 120}
    assert long == {"/States/Read error/Assign/failure"}


@SOURCES
def test_only_tasks_and_maps_read_the_context(source: Path) -> None:
    """TestState takes a context only with a mock, and a mock only for Task, Map and Parallel states."""
    for name, state in nested(json.loads(source.read_text("utf-8"))["States"]):
        if state["Type"] not in ("Task", "Map"):
            assert "$states.context" not in json.dumps(state), name


@SOURCES
def test_no_alias_of_an_error_and_no_error_without_advice_is_named(source: Path) -> None:
    text = source.read_text("utf-8")
    assert [alias for alias in ALIASES if f'"{alias}"' in text or f"'{alias}'" in text] == []
    named = set(re.findall(r"""["']([A-Z][A-Za-z]+Exception)["']""", text))
    assert named <= set(ERRORS)


# Retry and Catch


@pytest.mark.parametrize("name", TASKS)
def test_every_task_has_a_timeout_catches_whatever_is_left_and_names_each_error_once(name: str) -> None:
    task = TASKS[name]
    if "StartExecutionAndWait" not in task["Resource"]:
        # Above the functions' own timeout, so that Lambda's error, which says more, comes first.
        assert task["TimeoutSeconds"] == 90
    assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]
    assert ("Retry" in task) is (name.partition(",")[0] not in LOOPS)
    for handlers in (task.get("Retry", []), task["Catch"]):
        *before, last = [handler["ErrorEquals"] for handler in handlers] or [[]]
        assert all("States.ALL" not in names for names in before)
        assert "States.ALL" not in last or last == ["States.ALL"]
    retried = [error for retrier in task.get("Retry", []) for error in retrier["ErrorEquals"]]
    assert len(retried) == len(set(retried))


NOTIFY = ("Notify of success", "Publish running event", "Publish failure event", "Schedule auto-stop")
KINDS = {
    "read": [f"Validate request, {source.name}" for source in (START, STOP)],
    "notify": [f"Notify operators, {source.name}" for source in (START, STOP, FLEET)]
    + [f"{state}, {START.name}" for state in (*NOTIFY, "Schedule stop on failure")],
}


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_of_one_kind_have_one_retry_list(kind: str) -> None:
    lists = [TASKS[name]["Retry"] for name in KINDS[kind]]
    assert all(each == lists[0] for each in lists)
    assert lists[0][-1]["ErrorEquals"] == ["States.ALL"]


def test_a_start_retries_neither_what_is_routed_nor_what_may_have_been_sent() -> None:
    routed, crashed, rest = STATES["Start image builder"]["Retry"]
    assert (routed["MaxAttempts"], crashed["MaxAttempts"], rest["ErrorEquals"]) == (0, 0, ["States.ALL"])
    in_seconds = {"ThrottlingException", "ServiceUnavailableException", "InvalidRequest", "Unknown"}
    assert set(routed["ErrorEquals"]) == set(ERRORS) - in_seconds
    assert crashed["ErrorEquals"] == STATES["Start image builder"]["Catch"][0]["ErrorEquals"]


def test_the_workflows_share_what_they_do_alike() -> None:
    for states in (STOP_STATES, FLEET_STATES):
        for member in ("Retry", "Resource", "TimeoutSeconds"):
            assert states["Notify operators"][member] == STATES["Notify operators"][member]
    assert STOP_STATES["Read error"] == STATES["Read error"]
    assert STOP_STATES["Fail execution"] == STATES["Fail execution"]
    transient = STATES["Read request"]["Assign"]["transientCodes"]
    assert STOP_STATES["Read request"]["Assign"]["transientCodes"] == transient


# Loops and time limits


def transitions(states: dict[str, dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for name, state in states.items():
        for rule in [state, *state.get("Choices", []), *state.get("Catch", [])]:
            if "Next" in rule:
                yield name, rule["Next"]
        if "Default" in state:
            yield name, state["Default"]


EVALUATE = "Evaluate builder state"
BOUNDED = {
    # Five attempts at most.
    (EVALUATE, "Start image builder"),
    # Twice an attempt at most.
    (EVALUATE, "Schedule auto-stop"),
    # The call was accepted, refused or failed: each waits before the next.
    ("Stop image builder", EVALUATE),
}


@pytest.mark.parametrize("states", [STATES, STOP_STATES], ids=["start", "stop"])
def test_no_loop_goes_round_without_a_wait(states: dict[str, dict[str, Any]]) -> None:
    waits = {name for name, state in states.items() if state["Type"] == "Wait"}
    without_waiting: TopologicalSorter[str] = TopologicalSorter()
    for source, target in transitions(states):
        if target not in waits and (source, target) not in BOUNDED:
            without_waiting.add(source, target)
    # Raises CycleError, which names the states of a loop.
    without_waiting.prepare()


def longest_start_seconds() -> float:
    """How long a start can last at most: all waiting, each poll at its timeout, each attempt with all its retries."""
    deadline = 720 * 60
    polls, waited = 0, 0
    while waited < deadline:
        waited += min(max(10, waited // 40), 300, deadline - waited)
        polls += 1
    retrier = STATES["Start image builder"]["Retry"][-1]
    intervals = [
        min(retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n, retrier["MaxDelaySeconds"])
        for n in range(retrier["MaxAttempts"])
    ]
    task = sum(intervals) + (retrier["MaxAttempts"] + 1) * 90
    return float(deadline + polls * 90 + 20 * task)


def test_the_time_limit_of_a_start_is_above_the_longest_one_but_not_far() -> None:
    assert longest_start_seconds() < DEFINITION["TimeoutSeconds"] < 3 * longest_start_seconds()


def test_the_time_limit_of_a_stop_is_above_the_longest_one() -> None:
    longest = (10_080 + 780 + 720) * 60
    tasks = 3_000 * 90
    assert longest + tasks < json.loads(STOP.read_text("utf-8"))["TimeoutSeconds"] < 2 * longest
