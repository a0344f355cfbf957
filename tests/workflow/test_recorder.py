"""The recording that `make verify` plays on AWS: that it is current, complete, and says all that a state depends on."""

import copy
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch

import pytest
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.custom_error_name import CustomErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import state_task_service
from moto.stepfunctions.parser.asl.eval.environment import Environment

from cli import verify
from cli.definition import definition
from tests.workflow.engine import Engine
from tests.workflow.recorder import Recorder, cases, record

RECORDED = verify.recorded()
STATES = {
    name: dict(verify.all_states(json.loads(definition(path))["States"])) for name, path in verify.DEFINITIONS.items()
}


def test_the_recording_is_current() -> None:
    assert record() == RECORDED, "run: python -m tests.workflow.recorder"


def test_every_state_and_every_way_on_is_recorded_within_the_limit() -> None:
    assert len(RECORDED) <= verify.MOST_CASES
    found = {(case["machine"], case["state"], case["answer"].get("nextState"), case.get("choice")) for case in RECORDED}
    wanted = {(machine, *way) for machine, states in STATES.items() for way in _ways(states)}
    assert wanted - found == set()


def _ways(states: dict[str, Any]) -> Iterator[tuple[str, str | None, int | None]]:
    """The ways through each state: its name, the next state, and the rule of a Choice."""
    for name, state in states.items():
        if state.get("End") or state["Type"] == "Fail":
            yield name, None, None
        yield from ((name, part["Next"], None) for part in (state, *state.get("Catch", ())) if "Next" in part)
        yield from ((name, rule["Next"], number) for number, rule in enumerate(state.get("Choices", ())))
        if "Default" in state:
            yield name, state["Default"], None


def _targets(state: Any) -> Iterator[str]:
    for part in (state, *state.get("Choices", ()), *state.get("Catch", ())):
        yield from (part[key] for key in ("Next", "Default") if key in part)


_ONE_AT_A_TIME = threading.Lock()


class EngineTestState:
    """TestState and ValidateStateMachineDefinition on the tests' own engine, with what `make verify` uses of them."""

    def validate_state_machine_definition(self, **request: str) -> dict[str, Any]:
        json.loads(request["definition"])
        return {"result": "OK", "diagnostics": []}

    def test_state(self, **request: Any) -> dict[str, Any]:
        state, mock = json.loads(request["definition"]), request.get("mock", {})
        variables = json.loads(request["variables"])
        set_variables = {"Assign": {name: f"{{% $states.input.variables.{name} %}}" for name in variables}}
        # The engine takes no empty Assign.
        first = {"Type": "Pass", **(set_variables if variables else {}), "Output": "{% $states.input.input %}"}
        states = {
            "Set variables": {**first, "Next": "tested"},
            "tested": _with_children_that_pass(state),
            **{target: {"Type": "Succeed"} for target in _targets(state)},
        }
        program = {"QueryLanguage": "JSONata", "StartAt": "Set variables", "States": states}
        recorder = Recorder()
        arn = json.loads(request.get("context", "{}")).get("Execution", {}).get("Id", "")
        with _ONE_AT_A_TIME, recorder.recording(), _mocked(mock):
            given = {"input": json.loads(request["input"]), "variables": variables}
            Engine(lambda _: None, {}, definition=json.dumps(program)).run(given, arn)
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

    def answer(env: Environment, **_: Any) -> None:
        if "errorOutput" not in mock:
            env.stack.append(json.loads(mock["result"]))
            return
        error = mock["errorOutput"]["error"]
        name = StatesErrorName.from_name(error) if error.startswith("States.") else CustomErrorName(error)
        said: Any = {"taskFailedEventDetails": mock["errorOutput"]}
        raise FailureEventException(FailureEvent(env, name, HistoryEventType.TaskFailed, said))

    run_children = DistributedIterationComponent._eval_body

    def children(component: DistributedIterationComponent, env: Environment) -> None:
        run_children(component, env)
        env.stack.pop()
        answer(env)

    with ExitStack() as stack:
        stack.enter_context(patch.object(Environment, "is_mocked_mode", lambda _: bool(mock)))
        stack.enter_context(patch.object(Environment, "get_current_mocked_response", lambda _: None))
        stack.enter_context(patch.object(state_task_service, "eval_mocked_response", answer))
        stack.enter_context(patch.object(DistributedIterationComponent, "_eval_body", children))
        yield


def _as_response(answer: dict[str, Any]) -> dict[str, Any]:
    response: dict[str, Any] = {key: answer[key] for key in ("status", "nextState", "error", "cause") if key in answer}
    inspected: dict[str, Any] = {
        key: json.dumps(answer[key]) for key in ("variables", "afterArguments") if key in answer
    }
    inspected["afterItemSelector"] = [json.dumps(item) for item in answer.get("afterItemSelector", [])]
    return {**response, "output": json.dumps(answer.get("output")), "inspectionData": inspected}


def test_each_case_alone_says_all_that_its_state_depends_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.check(EngineTestState()) == 0, capsys.readouterr().out  # type: ignore[arg-type]
    assert f"0 of {len(RECORDED)} cases differ." in capsys.readouterr().out
