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
from functools import partial
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEventException
from moto.stepfunctions.parser.asl.component.state.choice.choice_rule import ChoiceRule
from moto.stepfunctions.parser.asl.component.state.choice.state_choice import StateChoice
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
from tests.scenarios import BUILDER
from tests.workflow import engine
from tests.workflow.conftest import World
from tests.workflow.engine import Execution

Case = dict[str, Any]


def _ended(status: str, error: str = "", cause: Any = "") -> Execution:
    output = {"Outcome": "Running", "Started": True}
    return Execution(status, output, error, cause and json.dumps(cause), [])


def _answers(operation: str, code: str, **when: Any) -> dict[str, Any]:
    return {"operation": operation, "error": {"code": code, "message": "No."}, "times": None, **when}


_STARTS: list[tuple[Any, Any, list[Any]]] = [
    ({"Name": BUILDER, "StopAfterMinutes": 30, "NotifyOnSuccess": True}, {}, []),
    ({"Name": BUILDER, "StopAfterMinutes": 30}, {"state": "RUNNING"}, []),
    ({"Name": BUILDER, "StopOnFailure": True, "TimeoutMinutes": 5}, {"durations": {"pending": 900}}, []),
    ({"Name": "missing", "StopOnFailure": True}, {}, []),
]
_BREAKS: list[dict[str, Any]] = [
    {"functions": ["notify_operators"]},
    {"functions": ["validate_request"]},
    {"functions": ["start_image_builder"]},
    {"functions": ["describe_image_builder"]},
    {"functions": ["stop_image_builder"]},
    {"functions": ["list_image_builders"]},
    {"starts": 20},
    {"events": 20},
    {"children": True},
    {"every_start": [["PENDING", 60], ["STOPPED", None]]},
]
_STOPS: list[tuple[Any, Any, list[Any]]] = [
    *(({"Name": BUILDER}, {"state": state}, []) for state in ("RUNNING", "STOPPED", "FAILED", "DELETING")),
    ({"Name": BUILDER}, {"state": [["STOPPING", 200], ["STOPPED", None]]}, []),
    ({"Name": BUILDER}, {"state": [["PENDING", 400], ["RUNNING", None]]}, []),
    ({"Name": BUILDER}, {"state": "RUNNING", "tags": {"Skip_Stop": ""}}, []),
    ({"Name": BUILDER, "TimeoutMinutes": 5}, {"state": "PENDING"}, []),
    ({"Name": BUILDER, "StopAfterMinutes": 30}, {"state": "RUNNING"}, []),
    ({"Name": BUILDER, "StopAfterMinutes": 30}, {"state": [["RUNNING", 600], ["STOPPING", None]]}, []),
    *(
        ({"Name": BUILDER, "TimeoutMinutes": 5}, {"state": state}, [fault])
        for state, fault in [
            ("RUNNING", _answers("StopImageBuilder", "ConcurrentModificationException", times=2)),
            ("RUNNING", _answers("StopImageBuilder", "ConcurrentModificationException")),
            ("RUNNING", _answers("StopImageBuilder", "AccessDeniedException")),
            ("RUNNING", _answers("DescribeImageBuilders", "AccessDeniedException")),
            ("RUNNING", _answers("DescribeImageBuilders", "ThrottlingException")),
            ("PENDING", _answers("DescribeImageBuilders", "ResourceNotFoundException", skip=1)),
        ]
    ),
    ({"Name": "missing"}, {}, []),
    ({"Name": 7}, {}, []),
]
_ONE = {"MaxConcurrency": 1}
_FLEETS: list[tuple[Any, Execution]] = [
    ({"ImageBuilders": ["a", {"Name": "b", "StopAfterMinutes": 5}], **_ONE}, _ended("SUCCEEDED")),
    ({"Tag": {"Key": "k", "Value": "v"}, **_ONE}, _ended("SUCCEEDED")),
    ({"ImageBuilders": ["a", 7], **_ONE}, _ended("FAILED", "ImageBuilderFailed", {"Message": "It broke."})),
    ({"ImageBuilders": [{"Name": "a"}], **_ONE}, _ended("TIMED_OUT", "States.Timeout")),
    ({"ImageBuilders": []}, _ended("ABORTED")),
    ({"ImageBuilders": [{"Name": "a"}], **_ONE}, _ended("ABORTED")),
]


@dataclass
class Visit:
    """One visit of a state, with what went in and came out.

    Attributes:
        context: what the definitions use of it.
        attempts: of a Task or a Map: {"result": ...} or {"error": {"Error", "Cause"}}, in order.
        choice: of a Choice: the rule that was taken, None for the default.
        answer: what TestState should answer for the last of them.
    """

    state: str
    input: Any
    variables: dict[str, Any]
    context: dict[str, Any]
    attempts: list[dict[str, Any]] = field(default_factory=list)
    choice: int | None = None
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
            (StateChoice, "_eval_state"): self._choice,
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

    def _choice(self, original: Any, state: StateChoice, env: Environment) -> None:
        taken = []

        def rule(evaluate: Any, each: ChoiceRule, env: Environment) -> None:
            evaluate(each, env)
            if env.stack[-1] is True:
                taken.append(state.choices_decl.rules.index(each))

        with patch.object(ChoiceRule, "_eval_body", _bound(rule, ChoiceRule._eval_body)):
            original(state, env)
        self._open[-1].choice = taken[0] if taken else None

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
        if visit.choice is not None:
            common["choice"] = visit.choice
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
        # A stack trace names files of this machine.
        without_trace = patch.object(engine, "function_error", lambda kind, text, _=None: _function_error(kind, text))
        with recorder.recording(), without_trace:
            play()
        for case in cases(machine, recorder.visits):
            kept.setdefault(_way(case), case)
    return sorted(kept.values(), key=lambda case: (case["machine"], case["state"], _way(case)))


_function_error = engine.function_error


def _way(case: Case) -> str:
    """What two cases of one state have to differ in for both to be kept."""
    answer = case["answer"]
    changed = {
        name: value for name, value in answer.get("variables", {}).items() if case["variables"].get(name, "") != value
    }
    shape = [case["machine"], case["state"], answer["status"], answer.get("nextState"), answer.get("error")]
    words = [value for value in changed.values() if isinstance(value, str) and len(value) < 20]
    return json.dumps([*shape, case.get("choice"), sorted(changed), words, changed.get("failure", {}).get("Error")])


def runs() -> Iterator[tuple[str, Callable[[], object]]]:
    """What is recorded: the scenarios, and for each workflow the ways that they leave out."""
    for scenario in scenarios.ALL:
        yield "start", partial(World.new().play, scenario)
    for request, builder, faults in _STARTS:
        yield "start", partial(_play, World.run, [request], builder, faults, {})
    no_break: dict[str, Any] = {}
    request, *_ = _STARTS[0]
    for breaks in _BREAKS:
        yield "start", partial(_play, World.run, [request], {}, [], breaks)
    for request, builder, faults in _STOPS:
        yield "stop", partial(_play, World.run_stop, [request], builder, faults, {})
    for breaks in _BREAKS:
        yield "stop", partial(_play, World.run_stop, [{"Name": "missing"}], {"state": "FAILED"}, [], breaks)
    fleets = [*((*fleet, no_break) for fleet in _FLEETS), *((*_FLEETS[-1], breaks) for breaks in _BREAKS)]
    for request, end, breaks in fleets:
        arguments = [request, partial(_nested, end)]
        yield "fleet", partial(_play, World.run_fleet, arguments, {"tags": {"k": "v"}}, [], breaks)


def _nested(end: Execution, _: dict[str, str]) -> Execution:
    return end


def _play(
    run: Callable[..., object], arguments: list[Any], builder: Any, faults: list[Any], breaks: dict[str, Any]
) -> None:
    world = World.new()
    world.prepare(builder, faults)
    world.engine.script = {name: [_crash] * 20 for name in breaks.get("functions", ())}
    world.engine.start_errors = [_denied()] * breaks.get("starts", 0)
    # As AWS gives it: text.
    entry_failed = SfnFailedEntryCountException('{"FailedEntryCount":1}')  # type: ignore[arg-type]
    world.engine.announce_errors = [entry_failed] * breaks.get("events", 0)

    def sleep(seconds: float) -> None:
        world.clock.advance(seconds)
        if "every_start" in breaks:
            world.fake.patch_builder(BUILDER, next_start=breaks["every_start"])

    sleep(0)
    world.engine.sleep = sleep
    with ExitStack() as stack:
        if "children" in breaks:
            stack.enter_context(patch.object(DistributedIterationComponent, "_eval_body", _children_break_off))
        run(world, *arguments)


def _children_break_off(_: DistributedIterationComponent, env: Environment) -> None:
    env.stack.pop()
    eval_mocked_response(env, MockedResponseThrow(0, 0, "BrokeOff", "The children broke off."))


def _denied() -> ClientError:
    metadata: Any = {"HTTPStatusCode": 400, "RequestId": "1"}
    response: Any = {"Error": {"Code": "AccessDenied", "Message": "No."}, "ResponseMetadata": metadata}
    return ClientError(response, "StartExecution")


def _crash(*_: Any) -> dict[str, Any]:
    return _function_error("Runtime.ExitError", "RequestId: 1 Error: Runtime exited with error: signal: killed")


if __name__ == "__main__":
    with redirect_stdout(io.StringIO()):
        found = record()
    # The same bytes from the same cases: without the time of writing.
    CASES.write_bytes(gzip.compress(json.dumps(found, sort_keys=True).encode(), mtime=0))
    print(f"{len(found)} cases in {CASES}")
