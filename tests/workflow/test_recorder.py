"""The recording that `make verify` plays on AWS: that it is current, complete, and says all that a state depends on."""

import copy
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.mocking.mock_config import MockedResponseReturn, MockedResponseThrow

from cli import verify
from cli.definition import definition
from tests.workflow.engine import Engine
from tests.workflow.recorder import Case, Recorder, cases, record

RECORDED = verify.recorded()
STATES = {
    name: dict(verify.all_states(json.loads(definition(path))["States"])) for name, path in verify.DEFINITIONS.items()
}


def test_the_recording_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert record() == RECORDED, "run: python -m tests.workflow.recorder"


def test_every_state_and_every_way_on_is_recorded_within_the_limit() -> None:
    assert len(RECORDED) <= verify.MOST_CASES
    found = {(case["machine"], case["state"], case["answer"].get("nextState")) for case in RECORDED}
    wanted = {
        (machine, name, target)
        for machine, states in STATES.items()
        for name, state in states.items()
        for target in [*_targets(state), *([None] if state.get("End") or state["Type"] == "Fail" else [])]
    }
    assert wanted - found == set()


def _targets(state: Any) -> Iterator[str]:
    for part in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (part[key] for key in ("Next", "Default") if key in part)


def test_states_that_take_no_mock_use_no_context() -> None:
    """TestState takes a context only with a mock, and a mock only for these types."""
    for states in STATES.values():
        for name, state in states.items():
            if state["Type"] not in ("Task", "Map", "Parallel"):
                assert "$states.context" not in json.dumps(state), name


class EngineTestState:
    """TestState and ValidateStateMachineDefinition on the tests' own engine, with what `make verify` uses of them."""

    def validate_state_machine_definition(self, **request: str) -> dict[str, Any]:
        json.loads(request["definition"])
        return {"result": "OK", "diagnostics": []}

    def test_state(self, **request: Any) -> dict[str, Any]:
        state, mock = json.loads(request["definition"]), request.get("mock", {})
        program = {
            "QueryLanguage": "JSONata",
            "StartAt": "Set variables",
            "States": {
                "Set variables": {"Type": "Pass", "Assign": json.loads(request["variables"]), "Next": "tested"},
                "tested": _with_children_that_pass(state),
                **{target: {"Type": "Succeed"} for target in _targets(state)},
            },
        }
        if program["States"]["Set variables"]["Assign"] == {}:
            del program["States"]["Set variables"]["Assign"]
        recorder = Recorder()
        arn = json.loads(request.get("context", "{}")).get("Execution", {}).get("Id", "")
        with recorder.recording(), _mocked(mock):
            Engine(lambda _: None, {}, definition=json.dumps(program)).run(json.loads(request["input"]), arn)
        (visit,) = (visit for visit in recorder.visits if visit.state == "tested")
        retried = request.get("stateConfiguration", {}).get("retrierRetryCount", 0) < len(visit.attempts) - 1
        *before, last = cases("start", [visit])
        return _as_response((before[0] if retried else last)["answer"])


def _with_children_that_pass(state: Any) -> Any:
    processor = copy.deepcopy(state.get("ItemProcessor"))
    if not processor:
        return state
    processor["States"] = {processor["StartAt"]: {"Type": "Pass", "End": True}}
    return {**state, "ItemProcessor": processor}


@contextmanager
def _mocked(mock: dict[str, Any]) -> Iterator[None]:
    """The answer of the service, or of the children of a Map state, in the place of theirs."""
    if "errorOutput" in mock:
        answer: Any = MockedResponseThrow(0, 0, mock["errorOutput"]["error"], mock["errorOutput"]["cause"])
    else:
        answer = MockedResponseReturn(0, 0, json.loads(mock.get("result", "null")))
    run_children = DistributedIterationComponent._eval_body

    def children(component: DistributedIterationComponent, env: Environment) -> None:
        run_children(component, env)
        env.stack[-1] = answer.payload

    with ExitStack() as stack:
        stack.enter_context(patch.object(Environment, "is_mocked_mode", lambda _: bool(mock)))
        stack.enter_context(patch.object(Environment, "get_current_mocked_response", lambda _: answer))
        stack.enter_context(patch.object(DistributedIterationComponent, "_eval_body", children))
        yield


def _as_response(answer: dict[str, Any]) -> dict[str, Any]:
    response = {key: answer[key] for key in ("status", "nextState", "error", "cause") if key in answer}
    inspected = {key: json.dumps(answer[key]) for key in ("variables", "afterArguments") if key in answer}
    inspected["afterItemSelector"] = [json.dumps(item) for item in answer.get("afterItemSelector", [])]
    return {**response, "output": json.dumps(answer.get("output")), "inspectionData": inspected}


def test_each_case_alone_says_all_that_its_state_depends_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.check(EngineTestState()) == 0, capsys.readouterr().out  # type: ignore[arg-type]
    said = capsys.readouterr().out
    assert f"0 of {len(RECORDED)} cases differ." in said


@pytest.mark.parametrize(
    ("found", "broken"),
    [
        ('"Next": "Evaluate builder state"', '"Next": "Read error"'),
        ("$polls + 1", "$polls + 2"),
        ('"Phase = \'Running\'', '"Phase = \'Stopped\''),
    ],
)
def test_a_definition_that_does_otherwise_differs(
    found: str, broken: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def changed(path: Path) -> str:
        text = definition(path)
        return text.replace(found, broken)

    monkeypatch.setattr(verify, "definition", changed)
    polls = [case for case in RECORDED if case["state"] in ("Poll image builder", "Evaluate builder state")]
    monkeypatch.setattr(verify, "recorded", lambda _: polls)
    assert verify.check(EngineTestState()) == 1  # type: ignore[arg-type]
    assert "recorded:" in capsys.readouterr().out
