"""The workflows' own ASL files and handlers on an interpreter, in process and on a virtual clock.

The interpreter is moto's (from LocalStack, which validates it against AWS). Put in its place are JSONata, which
jsonata-python evaluates; waits, which move a virtual clock; and its clients: that of Lambda calls the real handlers as
the Lambda runtime does, that of Step Functions keeps what a workflow starts, that of EventBridge what it publishes.
"""

import copy
import io
import json
import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import jsonata
from botocore.exceptions import ClientError
from jsonata.utils import Utils
from jsonpath_ng.parser import parse
from moto.stepfunctions.parser.api import HistoryEventType
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import FailureEvent, FailureEventException
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import StatesErrorName
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import StatesErrorNameType
from moto.stepfunctions.parser.asl.component.common.string.string_expression import StringJSONata
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.evaluation_details import AWSExecutionDetails
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.states import ContextObjectData, ExecutionData, StateMachineData
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.utils import TMP_THREADS

from cli.definition import definition

# moto logs every error that a state hands on, with the whole state, and Powertools every error of a handler, with its
# frames; pytest keeps what is logged until the test ends, which for the model is ten thousand runs later.
for name in ("moto.stepfunctions", "aws_lambda_powertools"):
    logging.getLogger(name).setLevel(logging.CRITICAL + 1)

ARN = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:test"
ASL = "moto.stepfunctions.parser.asl"
TASK = f"{ASL}.component.state.exec.state_task"
Handler = Callable[[Any, Any], Any]
Invocation = Callable[[Handler, Any], dict[str, Any]]
"""What becomes of one invocation: called with the handler and its event, gives what Lambda's Invoke answers."""


@dataclass
class Execution:
    """How an execution ended, and what it did on the way."""

    status: str
    output: Any
    error: str
    cause_text: str
    history: list[dict[str, Any]]

    @property
    def cause(self) -> dict[str, Any]:
        """The Cause, read as JSON; any other text is its Message."""
        try:
            parsed = json.loads(self.cause_text)
        except ValueError:
            return {"Message": self.cause_text}
        return parsed if isinstance(parsed, dict) else {"Message": self.cause_text}

    @property
    def states(self) -> list[str]:
        """The states entered, in order."""
        return [each["stateEnteredEventDetails"]["name"] for each in self.history if "stateEnteredEventDetails" in each]


@dataclass
class Engine:
    """Runs executions.

    Attributes:
        sleep: moves the virtual clock by so many seconds.
        handlers: the functions, by what the substitutions call them.
        script: what becomes of the next invocations of a function, by its name, and the errors of the next calls of
            "StartExecution", "PutEvents" and "Publish". Where it ends, all works.
        nested: what becomes of an execution that a workflow starts and waits for, by its parameters.
        started: the parameters of the executions that a workflow started.
        announced: the entries that a workflow put on an event bus, with each Detail read.
    """

    sleep: Callable[[float], object]
    handlers: dict[str, Handler]
    definition: str = field(default_factory=definition)
    script: dict[str, Iterator[Any]] = field(default_factory=dict)
    nested: Callable[[dict[str, str]], Execution] | None = None
    started: list[dict[str, str]] = field(default_factory=list)
    announced: list[dict[str, Any]] = field(default_factory=list)
    _entered: bool = False
    _running: dict[str, Environment] = field(default_factory=dict)

    def abort(self, arn: str) -> None:
        """Stop an execution that runs in another thread, as StopExecution does: no further state is entered."""
        if running := self._running.get(arn):
            running.set_stop(datetime(2026, 1, 31, tzinfo=UTC), cause=None, error=None)

    def run(self, execution_input: Any, arn: str = ARN, definition: str = "") -> Execution:
        """Run one execution to its end. Its definition is the engine's, where none is given."""
        running = Environment(
            aws_execution_details=AWSExecutionDetails("000000000000", "us-east-1", "role"),
            execution_type="STANDARD",
            context=ContextObjectData(
                Execution=ExecutionData(
                    Id=arn,
                    Input=execution_input,
                    Name=arn.rpartition(":")[2],
                    RoleArn="role",
                    StartTime="2026-01-31T22:00:00Z",
                ),
                StateMachine=StateMachineData(Id="arn:aws:states:::stateMachine:StartImageBuilder", Name="Start"),
            ),
            event_history_context=EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store={},
        )
        running.states.reset(input_value=execution_input)
        self._running[arn] = running
        with self.in_place():
            _program(definition or self.definition).eval(running)
        del self._running[arn]
        # moto keeps every thread it ever made, and with it the whole run.
        TMP_THREADS.clear()
        history = running.event_manager.get_event_history()
        status = history[-1]["type"].removeprefix("Execution").upper()
        failure: Any = history[-1].get("executionFailedEventDetails") or {}
        output = running.states.get_input() if status == "SUCCEEDED" else None
        return Execution(status, output, failure.get("error") or "", failure.get("cause") or "", history)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The interpreter with what is put in its place. Runs side by side share one that is around them all."""
        if self._entered:
            yield
            return
        clients = {
            "lambda": SimpleNamespace(invoke=self._invoke),
            "stepfunctions": SimpleNamespace(
                start_execution=self.start_execution, describe_execution=self._describe_execution
            ),
            "events": SimpleNamespace(put_events=self._put_events),
        }

        def client_for(service: str, **_: Any) -> Any:
            return clients[service]

        json_copies = SimpleNamespace(deepcopy=_copied)
        replacements = {
            f"{TASK}.lambda_eval_utils.boto_client_for": client_for,
            f"{TASK}.service.state_task_service_sfn.boto_client_for": client_for,
            f"{TASK}.service.state_task_service_events.boto_client_for": client_for,
            f"{TASK}.service.state_task_service_sfn.StateTaskServiceSfn._normalise_response": _in_pascal_case,
            f"{ASL}.component.common.string.string_expression.StringJSONata._eval_body": _evaluate,
            f"{ASL}.component.state.wait.wait_function.wait_function.WaitFunction._wait_interval": (
                lambda wait, env, wait_seconds: self.sleep(wait_seconds)
            ),
            f"{ASL}.component.common.retry.retrier_decl.time": SimpleNamespace(sleep=self.sleep),
            # What makes a run take half its time: copies of JSON, a path that is parsed once, no thread for each task.
            f"{ASL}.eval.states.copy": json_copies,
            f"{ASL}.eval.environment.copy": json_copies,
            f"{ASL}.eval.event.event_manager.copy": json_copies,
            f"{ASL}.component.state.exec.execute_state.copy": json_copies,
            f"{ASL}.component.common.path.result_path.copy": json_copies,
            f"{ASL}.component.common.path.result_path.parse": cache(parse),
            f"{ASL}.component.state.exec.execute_state.Thread": lambda target, **_: SimpleNamespace(start=target),
        }
        self._entered = True
        with ExitStack() as stack:
            stack.callback(setattr, self, "_entered", False)
            for target, replacement in replacements.items():
                stack.enter_context(patch(target, replacement))
            yield

    def _next_error(self, operation: str) -> None:
        if error := next(self.script.get(operation, iter(())), None):
            # One exception may be raised often, and would keep the frames of every run.
            raise error.with_traceback(None)

    # The parameter names are those of the clients' methods.
    def _invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803  # as boto3 names them
        invocation = next(self.script.get(FunctionName, iter(())), run_handler)
        answer = invocation(self.handlers[FunctionName], json.loads(Payload))
        return {**answer, "StatusCode": 200, "Payload": io.BytesIO(answer["Payload"])}

    def _put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        self._next_error("PutEvents")
        self.announced += [{**entry, "Detail": json.loads(entry["Detail"])} for entry in Entries]
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}

    def start_execution(self, **parameters: str) -> dict[str, Any]:
        """Keep an execution that a workflow starts."""
        self._next_error("StartExecution")
        for other in self.started:
            same_name = all(other[key] == parameters[key] for key in ("StateMachineArn", "Name"))
            # With the same input it is the same execution, while that goes on.
            if same_name and other["Input"] != parameters["Input"]:
                raise service_error("StartExecution", "ExecutionAlreadyExists")
        self.started.append(parameters)
        # Without the version or alias.
        name = parameters["StateMachineArn"].split(":")[6]
        arn = f"arn:aws:states:us-east-1:000000000000:execution:{name}:{parameters['Name']}"
        return {"ExecutionArn": arn, "StartDate": datetime(2026, 1, 31, tzinfo=UTC)}

    def _describe_execution(self, executionArn: str) -> dict[str, Any]:  # noqa: N803
        *_, parameters = (each for each in self.started if executionArn.endswith(f":{each['Name']}"))
        assert self.nested, "nothing says what becomes of it"
        execution = self.nested(parameters)
        described = {
            "executionArn": executionArn,
            "stateMachineArn": parameters["StateMachineArn"],
            "status": execution.status,
            "input": parameters["Input"],
        }
        if execution.status == "SUCCEEDED":
            return {**described, "output": json.dumps(execution.output)}
        said = {"error": execution.error, "cause": execution.cause_text}
        return {**described, **{member: text for member, text in said.items() if text}}


def _in_pascal_case(_: Any, response: dict[str, Any], service_action_name: str | None = None, **__: Any) -> None:
    """Name the members of an execution as the integrations do, which moto leaves as the API has them."""
    if service_action_name == "describe_execution":
        for member in list(response):
            response[f"{member[0].upper()}{member[1:]}"] = response.pop(member)


def service_error(operation: str, code: str = "InternalErrorException", status: int = 500) -> ClientError:
    """What a service answers that Step Functions or a function calls."""
    error: Any = {
        "Error": {"Code": code, "Message": "The service says no."},
        "ResponseMetadata": {"HTTPStatusCode": status, "RequestId": "1"},
    }
    return ClientError(error, operation)


def run_handler(handler: Handler, event: Any) -> dict[str, Any]:
    """Call a handler as the Lambda runtime does: JSON in, JSON or the class name of an exception out."""
    context = SimpleNamespace(
        function_name="function",
        function_version="$LATEST",
        memory_limit_in_mb=256,
        invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:function",
        aws_request_id="00000000-0000-0000-0000-000000000000",
    )
    try:
        return {"Payload": json.dumps(handler(event, context)).encode()}
    except Exception as error:
        return function_error(type(error).__name__, str(error))


def function_error(kind: str, message: str) -> dict[str, Any]:
    """What Invoke answers for a function that failed. Without a trace, which would name files of this machine."""
    payload = {"errorMessage": message, "errorType": kind, "requestId": "1", "stackTrace": []}
    return {"FunctionError": "Unhandled", "Payload": json.dumps(payload).encode()}


def _copied(value: Any) -> Any:
    """A deep copy of JSON; of a program's state, which has no parts that change, a shallow one."""
    if isinstance(value, dict):
        return {key: _copied(member) for key, member in value.items()}
    if isinstance(value, list):
        return [_copied(member) for member in value]
    return value if isinstance(value, str | int | float | None) else copy.copy(value)


@lru_cache(maxsize=8)
def _program(text: str) -> Any:
    # Its grammar wants a number with a fraction where the specification allows any.
    text = text.replace('"ToleratedFailurePercentage": 100,', '"ToleratedFailurePercentage": 100.0,')
    return AmazonStateLanguageParser.parse(text)[0]


@cache
def _compiled(expression: str) -> jsonata.Jsonata:
    compiled = jsonata.Jsonata(expression)
    # Step Functions has it beside JSONata's own functions.
    compiled.register_lambda("parse", json.loads)
    return compiled


@cache
def _variables_of(expression: str) -> set[str]:
    return set(re.findall(r"\$(\w+)", expression))


_EVALUATING = threading.Lock()


def _evaluate(self: StringJSONata, env: Environment) -> None:
    """Evaluate an expression with the variables bound as values.

    moto writes every variable into the text of the expression and parses all of it again, without escaping strings.
    """
    known = {**env.variable_store._outer_scope, **env.variable_store._inner_scope, "states": env.states._states_data}
    named = {name: known[name] for name in _variables_of(self.expression) if name in known}
    bindings = {name: Utils.NULL_VALUE if value is None else value for name, value in named.items()}
    try:
        with _EVALUATING:
            result = _compiled(self.expression).evaluate(None, bindings)
            if result is None and not _compiled(f"$exists({self.expression})").evaluate(None, bindings):
                raise ValueError("returned nothing (undefined)")
        # Plain JSON, as the expression's result is when it leaves the evaluator on AWS.
        env.stack.append(json.loads(json.dumps(result)))
    except Exception as problem:
        name = StatesErrorName(typ=StatesErrorNameType.StatesQueryEvaluationError)
        cause = f"The JSONata expression '{self.expression}' {problem}"
        details = EventDetails(evaluationFailedEventDetails={"cause": cause, "error": name.error_name})
        raise FailureEventException(
            FailureEvent(env=env, error_name=name, event_type=HistoryEventType.EvaluationFailed, event_details=details)
        ) from problem
