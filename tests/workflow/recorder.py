"""Records how the project's own engine runs each state, for `make verify` to play on AWS.

`python -m tests.workflow.recorder` writes cli/verify_cases.json.gz; a test says when that is no longer current.
"""

import gzip
import io
import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import chain
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
_function_error = engine.function_error


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


@dataclass(frozen=True)
class Run:
    """A run that is recorded beside the scenarios.

    Attributes:
        machine: "start", "stop" or "fleet".
        request: the execution input.
        builder: settings of the fake's builder, which is called BUILDER.
        faults: of the fake.
        crash: the function that crashes, at every call after so many that work, with an error of Lambda's.
        breaks: what else breaks: the services "states" and "events", or the "children" of the Map state.
        every_start: what each start leads to, instead of the ordinary.
        nested: how the runs of a fleet end: status, error and cause.
    """

    machine: str
    request: Any
    builder: Any = field(default_factory=dict)
    faults: Sequence[Any] = ()
    crash: str = ""
    after: int = 0
    error: str = "Runtime.ExitError"
    breaks: str = ""
    every_start: Any = None
    nested: tuple[str, str, str] = ("SUCCEEDED", "", "")

    def play(self) -> None:
        world = World.new()
        world.prepare(self.builder, self.faults)
        if self.crash:
            answer = _function_error(self.error, "RequestId: 1 Error: Runtime exited with error: signal: killed")
            world.engine.script[self.crash] = [*[engine.run_handler] * self.after, *[lambda *_: answer] * 20]
        if self.breaks == "states":
            metadata = {"HTTPStatusCode": 400, "RequestId": "1"}
            response: Any = {"Error": {"Code": "AccessDenied", "Message": "No."}, "ResponseMetadata": metadata}
            world.engine.start_errors = [ClientError(response, "StartExecution")] * 20
        if self.breaks == "events":
            # As AWS gives it: text.
            entry_failed = SfnFailedEntryCountException('{"FailedEntryCount":1}')  # type: ignore[arg-type]
            world.engine.announce_errors = [entry_failed] * 20
        advance = world.engine.sleep

        def sleep(seconds: float) -> None:
            advance(seconds)
            if self.every_start:
                world.fake.patch_builder(BUILDER, next_start=self.every_start)

        sleep(0)
        world.engine.sleep = sleep
        with ExitStack() as stack:
            if self.breaks == "children":
                stack.enter_context(patch.object(DistributedIterationComponent, "_eval_body", _children_break_off))
            if self.machine == "fleet":
                status, error, cause = self.nested
                nested = Execution(status, {"Outcome": "Running", "Started": True}, error, cause, [])
                world.run_fleet(self.request, lambda _: nested)
            else:
                {"start": world.run, "stop": world.run_stop}[self.machine](self.request)


def _children_break_off(_: DistributedIterationComponent, env: Environment) -> None:
    env.stack.pop()
    eval_mocked_response(env, MockedResponseThrow(0, 0, "BrokeOff", "The children broke off."))


def _answers(operation: str, code: str, **when: Any) -> list[dict[str, Any]]:
    return [{"operation": operation, "error": {"code": code, "message": "No."}, "times": None, **when}]


_NAMED = {"Name": BUILDER}
_STOPPED_LATER = {"Name": BUILDER, "StopAfterMinutes": 30, "NotifyOnSuccess": True}
_FIVE = {"Name": BUILDER, "TimeoutMinutes": 5}
_ONE = {"ImageBuilders": [{"Name": "a"}], "MaxConcurrency": 1}
_IT_BROKE = json.dumps({"Message": "It broke."})
RUNS = [
    Run("start", _STOPPED_LATER),
    Run("start", _STOPPED_LATER, {"state": "RUNNING"}),
    Run("start", {**_FIVE, "StopOnFailure": True}, {"durations": {"pending": 900}}),
    Run("start", {**_FIVE, "StopAfterMinutes": 30}, {"durations": {"pending": 900}}),
    *(Run("start", _STOPPED_LATER, crash=f"{name}_image_builder") for name in ("start", "describe")),
    *(Run("start", _STOPPED_LATER, crash=name) for name in ("validate_request", "notify_operators")),
    *(Run("start", _STOPPED_LATER, breaks=service) for service in ("states", "events")),
    Run("start", {**_FIVE, "StopOnFailure": True}, {"durations": {"pending": 900}}, breaks="states"),
    Run("start", {"Name": "missing"}, crash="notify_operators"),
    Run("start", {"Name": "missing"}, breaks="events"),
    Run("start", _NAMED, every_start=[["PENDING", 60], ["STOPPED", None]]),
    *(Run("stop", _NAMED, {"state": state}) for state in ("RUNNING", "STOPPED", "FAILED", "DELETING")),
    Run("stop", _NAMED, {"state": [["PENDING", 400], ["RUNNING", None]]}),
    Run("stop", _NAMED, {"state": "RUNNING", "tags": {"Skip_Stop": ""}}),
    Run("stop", _FIVE, {"state": "PENDING"}),
    Run("stop", {**_NAMED, "StopAfterMinutes": 30}, {"state": "RUNNING"}),
    Run("stop", {**_NAMED, "StopAfterMinutes": 30}, {"state": [["RUNNING", 600], ["STOPPING", None]]}),
    Run("stop", _FIVE, {"state": "RUNNING"}, _answers("StopImageBuilder", "ConcurrentModificationException", times=2)),
    Run("stop", _FIVE, {"state": "RUNNING"}, _answers("StopImageBuilder", "ConcurrentModificationException")),
    Run("stop", _FIVE, {"state": "RUNNING"}, _answers("StopImageBuilder", "AccessDeniedException")),
    Run("stop", _FIVE, {"state": "RUNNING"}, _answers("DescribeImageBuilders", "ThrottlingException")),
    Run("stop", _FIVE, {"state": "PENDING"}, _answers("DescribeImageBuilders", "ResourceNotFoundException", skip=1)),
    Run("stop", {"Name": 7}),
    *(Run("stop", _FIVE, {"state": "RUNNING"}, crash=f"{name}_image_builder") for name in ("stop", "describe")),
    *(Run("stop", {"Name": "missing"}, crash=name) for name in ("validate_request", "notify_operators")),
    Run("fleet", {"ImageBuilders": ["a", {"Name": "b", "StopAfterMinutes": 5}], "MaxConcurrency": 1}),
    Run("fleet", {"Tag": {"Key": "k", "Value": "v"}, "MaxConcurrency": 1}, {"tags": {"k": "v"}}),
    Run("fleet", _ONE, nested=("FAILED", "ImageBuilderFailed", _IT_BROKE)),
    Run("fleet", _ONE, nested=("TIMED_OUT", "States.Timeout", "")),
    Run("fleet", _ONE, nested=("ABORTED", "", "")),
    Run("fleet", {"ImageBuilders": []}),
    Run("fleet", {"ImageBuilders": []}, crash="notify_operators"),
    Run("fleet", _ONE, crash="list_image_builders"),
    Run("fleet", _ONE, nested=("FAILED", "ImageBuilderFailed", _IT_BROKE), crash="list_image_builders", after=1),
    Run("fleet", _ONE, crash="list_image_builders", error="Runtime.UnmarshalError"),
    Run("start", _NAMED, crash="validate_request", error="Runtime.UnmarshalError"),
    Run("stop", _NAMED, crash="validate_request", error="Runtime.UnmarshalError"),
    Run("fleet", _ONE, breaks="children"),
]


def runs() -> Iterator[tuple[str, Callable[[], object]]]:
    """What is recorded: of the scenarios those that differ by state, error or answer, and the runs above."""
    chosen = [scenarios.STATES, scenarios.ENDS, scenarios.POLLS, scenarios.NETWORK, scenarios.DRY_RUNS]
    for scenario in [*chain(*chosen), *scenarios.BAD_INPUT[::3], *scenarios.GOOD_INPUT]:
        yield "start", partial(World.new().play, scenario)
    for run in RUNS:
        yield run.machine, run.play


if __name__ == "__main__":
    with redirect_stdout(io.StringIO()):
        found = record()
    # The same bytes from the same cases: without the time of writing.
    CASES.write_bytes(gzip.compress(json.dumps(found, sort_keys=True).encode(), mtime=0))
    print(f"{len(found)} cases in {CASES}")
