"""Records how the project's own engine runs each state, for `make verify` to play on AWS.

`python -m tests.workflow.recorder` writes cli/verify_cases.json.gz; a test says when that is no longer current.
"""

import gzip
import io
import json
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, repeat
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.choice.choice_rule import ChoiceRule
from moto.stepfunctions.parser.asl.component.state.exec.execute_state import ExecutionState
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.distributed_iteration_component import (
    DistributedIterationComponent,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.state_map import StateMap
from moto.stepfunctions.parser.asl.component.state.exec.state_task.mock_eval_utils import eval_mocked_response
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_events import (
    SfnFailedEntryCountException,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.state_task import StateTask
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.seconds import SecondsJSONata
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.program_state import ProgramEnded
from moto.stepfunctions.parser.asl.eval.states import States
from moto.stepfunctions.parser.mocking.mock_config import MockedResponseThrow

# The environment that the functions need, before they are imported.
import tests.conftest  # noqa: F401
from cli.verify import CASES
from tests import scenarios
from tests.scenarios import answers
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, run_handler, service_error
from tests.workflow.scripted import fails, finds, starts

Case = dict[str, Any]
Play = Callable[[World], object]


@dataclass
class Visit:
    """One visit of a state, with what went in and came out.

    Attributes:
        context: what the definitions use of it.
        attempts: of a Task or a Map: {"result": ...} or {"error": {"Error", "Cause"}}, in order.
        rules: of a Choice: what its rules came to, in order, until one was true.
        answer: what TestState should answer for the last of them.
    """

    state: str
    input: Any
    variables: dict[str, Any]
    context: dict[str, Any]
    attempts: list[dict[str, Any]] = field(default_factory=list)
    rules: list[bool] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)


@dataclass
class Recorder:
    """Notes each visit of a state while the engine runs. Runs have to be one at a time, Map states included."""

    visits: list[Visit] = field(default_factory=list)
    _open: list[Visit] = field(default_factory=list)
    _result: Any = None

    @contextmanager
    def recording(self) -> Iterator["Recorder"]:
        """Record the runs within."""
        wrapped = {
            (CommonStateField, "_eval_body"): self._visit,
            (ExecutionState, "_evaluate_with_timeout"): self._attempt,
            (StateTask, "_eval_parameters"): self._arguments,
            (ChoiceRule, "_eval_body"): self._rule,
            (States, "set_result"): self._set_result,
            (SecondsJSONata, "_get_wait_seconds"): self._wait,
        }
        with ExitStack() as stack:
            for (owner, name), replacement in wrapped.items():
                stack.enter_context(patch.object(owner, name, _bound(replacement, getattr(owner, name))))
            yield self

    def _visit(self, original: Any, state: CommonStateField, env: Environment) -> None:
        execution = env.states.context_object.context_object_data["Execution"]
        context = {"Execution": {key: execution[key] for key in ("Id", "Name")}}
        visit = Visit(state.name, _copy(env.states.get_input()), _variables(env), context)
        self.visits.append(visit)
        self._open.append(visit)
        try:
            original(state, env)
        except FailureEventException as failure:
            said = ExecutionState._construct_error_output_value(failure.failure_event)
            visit.answer |= {"status": "FAILED", "error": said["Error"], "cause": said["Cause"]}
            raise
        finally:
            self._open.pop()
        caught = visit.attempts and "error" in visit.attempts[-1]
        visit.answer |= {
            "status": "CAUGHT_ERROR" if caught else "SUCCEEDED",
            "output": _copy(env.states.get_input()),
            "variables": _variables(env),
        }
        if not isinstance(env.program_state(), ProgramEnded):
            visit.answer["nextState"] = env.next_state_name

    def _attempt(self, original: Any, state: ExecutionState, env: Environment) -> None:
        visit, before = self._open[-1], len(self.visits)
        try:
            original(state, env)
        except Exception as error:
            failure = state._from_error(env=env, ex=error)
            visit.attempts.append({"error": state._construct_error_output_value(failure)})
            raise
        visit.attempts.append({"result": self._result})
        if isinstance(state, StateMap):
            first = state.iteration_component._start_at.start_at_name
            items = [each.input for each in self.visits[before:] if each.state == first]
            visit.answer["afterItemSelector"] = items

    def _arguments(self, original: Any, state: StateTask, env: Environment) -> Any:
        arguments = original(state, env)
        self._open[-1].answer["afterArguments"] = _copy(arguments)
        return arguments

    def _rule(self, original: Any, rule: ChoiceRule, env: Environment) -> None:
        original(rule, env)
        self._open[-1].rules.append(env.stack[-1])

    def _set_result(self, original: Any, states: States, result: Any) -> None:
        self._result = _copy(result)
        original(states, result)

    def _wait(self, original: Any, wait: SecondsJSONata, env: Environment) -> int:
        self._open[-1].answer["seconds"] = seconds = original(wait, env)
        return int(seconds)


def _bound(replacement: Any, original: Any) -> Any:
    return lambda *args, **kwargs: replacement(original, *args, **kwargs)


def _copy(value: Any) -> Any:
    return json.loads(json.dumps(value, default=datetime.isoformat))


def _variables(env: Environment) -> dict[str, Any]:
    # Without the outer scope: the children of a distributed Map have none on AWS.
    found: dict[str, Any] = _copy(env.variable_store._inner_scope)
    return found


def cases(machine: str, visits: list[Visit]) -> Iterator[Case]:
    """What TestState is asked for the visits of one run, and what it should answer."""
    for visit in visits:
        common = {"machine": machine, "state": visit.state, "input": visit.input, "variables": visit.variables}
        if True in visit.rules:
            common["choice"] = visit.rules.index(True)
        *retried, last = visit.attempts or [{}]
        errors = [attempt["error"] for attempt in visit.attempts if "error" in attempt]
        # TestState counts the retries of the one retrier that fits the error; on AWS nothing catches States.Runtime.
        if len({error["Error"] for error in errors}) > 1 or any(error["Error"] == "States.Runtime" for error in errors):
            continue
        arguments = {key: visit.answer[key] for key in ("afterArguments",) if key in visit.answer}
        for count, attempt in enumerate(retried):
            answer = {"status": "RETRIABLE", **_said(attempt["error"]), **arguments}
            yield {**common, "context": visit.context, "mock": attempt, "retries": count, "answer": answer}
        mocked = {"context": visit.context, "mock": last, "retries": len(errors) - ("error" in last)} if last else {}
        said = _said(last["error"]) if "error" in last else {}
        yield {**common, **mocked, "answer": {**visit.answer, **said}}


def _said(error: dict[str, str]) -> dict[str, str]:
    return {"error": error["Error"], "cause": error["Cause"]}


def record() -> list[Case]:
    """Play the scenarios and keep what differs: of each state, each way through it."""
    random.seed(0)
    kept: dict[str, Case] = {}
    for machine, play in runs():
        recorder = Recorder()
        with recorder.recording():
            play(World.new())
        for case in cases(machine, recorder.visits):
            kept.setdefault(_way(case), case)
    return sorted(kept.values(), key=lambda case: (case["machine"], case["state"], _way(case)))


def _way(case: Case) -> str:
    """What two cases of one state have to differ in for both to be kept."""
    answer = case["answer"]
    changed = {
        name: value for name, value in answer.get("variables", {}).items() if case["variables"].get(name, "") != value
    }
    shape = [case["machine"], case["state"], answer["status"], answer.get("nextState"), answer.get("error")]
    result = {} if "nextState" in answer or not isinstance(answer.get("output"), dict) else answer["output"]
    words = [value for value in (*changed.values(), *result.values()) if isinstance(value, str) and len(value) < 20]
    failure = changed.get("failure", {}).get("Error")
    return json.dumps([*shape, case.get("choice"), sorted(changed), words, sorted(result), failure])


def _children_break_off(world: World) -> None:
    def break_off(_: DistributedIterationComponent, env: Environment) -> None:
        env.stack.pop()
        eval_mocked_response(env, MockedResponseThrow(0, 0, "BrokeOff", "The children broke off."))

    with patch.object(DistributedIterationComponent, "_eval_body", break_off):
        world.run_fleet(_ONE)


def _fleet(request: Any, status: str = "SUCCEEDED", error: str = "", cause: str = "", **script: Any) -> Play:
    """A fleet whose executions end so."""

    def play(world: World) -> None:
        world.prepare({"tags": {"k": "v"}})
        world.plan(script)
        nested = Execution(status, {"Outcome": "Running", "Started": True}, error, cause, [])
        world.run_fleet(request, lambda _: nested)

    return play


def _missing(run: str, function: str, error: str = "Runtime.ExitError") -> Play:
    """A run for an image builder that is not there, while a function crashes."""

    def play(world: World) -> None:
        world.plan({function: repeat(fails(error, _KILLED))})
        getattr(world, run)({"Name": "missing"})

    return play


_KILLED = "RequestId: 1 Error: Runtime exited with error: signal: killed"
_CRASH = [fails("Runtime.ExitError", _KILLED)] * 20
_FIVE: dict[str, Any] = {"TimeoutMinutes": 5}
_LATER: dict[str, Any] = {"StopAfterMinutes": 30, "NotifyOnSuccess": True}
_SLOW = {"durations": {"pending": 900}}
_DENIED = {"StartExecution": repeat(service_error("StartExecution", "AccessDenied"))}
# As AWS gives it: text.
_NO_EVENTS = {"PutEvents": repeat(SfnFailedEntryCountException('{"FailedEntryCount":1}'))}  # type: ignore[arg-type]
_ONE = {"ImageBuilders": [{"Name": "a"}], "MaxConcurrency": 1}
_FAILED = ("FAILED", "ImageBuilderFailed", json.dumps({"Message": "It broke."}))
_BUSY = "ConcurrentModificationException"
RUNS: list[tuple[str, Play]] = [
    ("start", lambda world: world.start(**_LATER)),
    ("start", lambda world: world.start({"state": "RUNNING"}, **_LATER)),
    ("start", lambda world: world.start(_SLOW, **_FIVE, StopOnFailure=True)),
    ("start", lambda world: world.start(_SLOW, **_FIVE, StopAfterMinutes=30)),
    ("start", lambda world: world.start(starts=_CRASH, **_LATER)),
    ("start", lambda world: world.start(polls=_CRASH, **_LATER)),
    ("start", lambda world: world.start(script={"validate_request": _CRASH})),
    ("start", lambda world: world.start(script={"notify_operators": _CRASH}, **_LATER)),
    ("start", lambda world: world.start(script=_DENIED, **_LATER)),
    ("start", lambda world: world.start(script=_NO_EVENTS, **_LATER)),
    ("start", lambda world: world.start(_SLOW, script=_DENIED, **_FIVE, StopOnFailure=True)),
    ("start", lambda world: world.start({"state": "FAILED"}, script=_NO_EVENTS)),
    ("start", lambda world: world.start(starts=[starts()] * 5, polls=repeat(finds("STOPPED")))),
    ("start", _missing("run", "notify_operators")),
    ("start", _missing("run", "validate_request", "Runtime.UnmarshalError")),
    ("stop", lambda world: world.stop()),
    ("stop", lambda world: world.stop({"state": "STOPPED"})),
    ("stop", lambda world: world.stop({"state": "FAILED"})),
    ("stop", lambda world: world.stop({"state": "DELETING"})),
    ("stop", lambda world: world.stop({"state": [["PENDING", 400], ["RUNNING", None]]})),
    ("stop", lambda world: world.stop({"state": "RUNNING", "tags": {"Skip_Stop": ""}})),
    ("stop", lambda world: world.stop({"state": "PENDING"}, **_FIVE)),
    ("stop", lambda world: world.stop(StopAfterMinutes=30)),
    ("stop", lambda world: world.stop({"state": [["RUNNING", 600], ["STOPPING", None]]}, StopAfterMinutes=30)),
    ("stop", lambda world: world.stop(faults=[answers("StopImageBuilder", _BUSY, 2)], **_FIVE)),
    ("stop", lambda world: world.stop(faults=[answers("StopImageBuilder", _BUSY)], **_FIVE)),
    ("stop", lambda world: world.stop(faults=[answers("StopImageBuilder", "AccessDeniedException")])),
    ("stop", lambda world: world.stop(faults=[answers("DescribeImageBuilders", "ThrottlingException")], **_FIVE)),
    ("stop", lambda world: world.stop(None, [answers("DescribeImageBuilders", "ResourceNotFoundException", skip=1)])),
    ("stop", lambda world: world.run_stop({"Name": 7})),
    ("stop", lambda world: world.stop(script={"stop_image_builder": _CRASH}, **_FIVE)),
    ("stop", lambda world: world.stop(script={"describe_image_builder": _CRASH}, **_FIVE)),
    ("stop", _missing("run_stop", "validate_request")),
    ("stop", _missing("run_stop", "notify_operators")),
    ("stop", _missing("run_stop", "validate_request", "Runtime.UnmarshalError")),
    ("fleet", _fleet({"ImageBuilders": ["a", {"Name": "b", "StopAfterMinutes": 5}], "MaxConcurrency": 1})),
    ("fleet", _fleet({"Tag": {"Key": "k", "Value": "v"}, "MaxConcurrency": 1})),
    ("fleet", _fleet(_ONE, *_FAILED)),
    ("fleet", _fleet(_ONE, "TIMED_OUT", "States.Timeout")),
    ("fleet", _fleet(_ONE, "ABORTED")),
    ("fleet", _fleet({"ImageBuilders": []})),
    ("fleet", _fleet({"ImageBuilders": []}, notify_operators=_CRASH)),
    ("fleet", _fleet(_ONE, list_image_builders=_CRASH)),
    ("fleet", _fleet(_ONE, *_FAILED, list_image_builders=[run_handler, *_CRASH])),
    ("fleet", _missing("run_fleet", "list_image_builders", "Runtime.UnmarshalError")),
    ("fleet", _children_break_off),
]


def runs() -> Iterator[tuple[str, Play]]:
    """What is recorded: of the scenarios those that differ by state, error or answer, and the runs above."""
    chosen = [scenarios.STATES, scenarios.ENDS, scenarios.POLLS, scenarios.NETWORK, scenarios.DRY_RUNS]
    for scenario in [*chain(*chosen), *scenarios.BAD_INPUT[::2], *scenarios.GOOD_INPUT]:
        yield "start", lambda world, scenario=scenario: world.play(scenario)  # type: ignore[misc]  # bound now
    yield from RUNS


if __name__ == "__main__":
    with redirect_stdout(io.StringIO()):
        found = record()
    # The same bytes from the same cases: without the time of writing.
    CASES.write_bytes(gzip.compress(json.dumps(found, sort_keys=True).encode(), mtime=0))
    print(f"{len(found)} cases in {CASES}")
