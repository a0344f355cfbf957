"""An execution as a person follows it: the visits to its states, read from Step Functions' execution history."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

_PAGE = 1000
"""Events that GetExecutionHistory gives at once, at most. Source: AWS Step Functions API reference."""

_FAILED = ("Failed", "TimedOut")
_CALLS = ("Task", "LambdaFunction")
_MAP_RUN = "MapRun"
"""A distributed Map calls nothing itself: on AWS its history tells of the Map Run, whose children have their own."""
_ENDS = ("ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut")


@dataclass(slots=True)
class Attempt:
    """One call of a task. Times in simulated seconds since the execution started.

    Attributes:
        ended: None while it goes on.
        error: empty for a success.
        reason: what the error's cause says.
    """

    began: float
    ended: float | None = None
    error: str = ""
    reason: str = ""


@dataclass(slots=True)
class Step:
    """One visit to a state. Times in simulated seconds since the execution started.

    Attributes:
        name: of the state.
        kind: its Type: "Task", "Choice", "Wait" and so on.
        left: None while it is the current one, and where it is the last of a run that did not end by itself.
        attempts: of a task, or of the Map Run of a distributed Map.
        map_run: the ARN of the last Map Run; empty where there is none.
        answer: what the task gave back; None for other states, and where it gave none.
        pause: seconds that a Wait lasts; None where the history does not tell.
    """

    name: str
    kind: str
    entered: float
    left: float | None = None
    attempts: list[Attempt] = field(default_factory=list)
    map_run: str = ""
    answer: Any = None
    pause: float | None = None

    @property
    def builder(self) -> str | None:
        """The State of the image builder, where the task saw it."""
        try:
            state = self.answer["ImageBuilder"]["State"]
        except (KeyError, TypeError):
            return None
        return state if isinstance(state, str) else None

    @property
    def finding(self) -> str:
        """What the task found out, in words; empty where that is nothing of an image builder."""
        if self.builder is None:
            return ""
        look = f"the image builder is {self.builder}"
        if self.answer.get("Stopping"):
            return f"AppStream accepted the stop; {look}"
        return f"AppStream accepted the start; {look}" if self.answer.get("Started") else look


@dataclass(slots=True)
class Run:
    """An execution, as far as its history goes.

    Attributes:
        execution: its ARN.
        began: when it started.
        time_scale: real seconds that a simulated second lasts; 1 on AWS.
        status: as DescribeExecution names it: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
        input: the execution's.
        output: of a success.
        error: of anything else; may be empty.
        cause: what the execution's Cause is: the object, where it is JSON.
        steps: the visits to its states, in order.
        ended: simulated seconds from start to end; None while it goes on.
        variables: what the states have assigned, as JSON texts.
        events: as Step Functions gave them.
    """

    execution: str
    began: datetime
    time_scale: float
    status: str
    input: Any
    output: Any = None
    error: str = ""
    cause: Any = ""
    steps: list[Step] = field(default_factory=list)
    ended: float | None = None
    variables: dict[str, str] = field(default_factory=dict)
    events: "list[HistoryEventTypeDef]" = field(default_factory=list)

    def seconds(self, moment: datetime) -> float:
        """Simulated seconds from the execution's start to a moment."""
        return (moment - self.began).total_seconds() / self.time_scale

    @property
    def name(self) -> str:
        """Of the image builder, as the request gives it; empty where it gives none."""
        request = self.input if isinstance(self.input, dict) else {}
        detail = request["detail"] if isinstance(request.get("detail"), dict) else {}
        name = request.get("Name", detail.get("Name"))
        return name if isinstance(name, str) else ""

    @property
    def about(self) -> str:
        """What it is about, in words."""
        request = self.input.get("detail", self.input) if isinstance(self.input, dict) else None
        if isinstance(request, dict) and not {"ImageBuilders", "Tag"}.isdisjoint(request):
            return "A fleet of image builders"
        return f"Image builder {self.name}" if self.name else "No image builder named"

    @property
    def builder(self) -> str | None:
        """The State of the image builder when it was last seen."""
        return next((step.builder for step in reversed(self.steps) if step.builder), None)


class Follower:
    """Reads an execution again and again, fetching only what is new."""

    def __init__(self, stepfunctions: "SFNClient", execution: str, time_scale: float = 1) -> None:
        """Args: execution: its ARN. time_scale: as `Run` has it."""
        self._client = stepfunctions
        self._execution = execution
        self._scale = time_scale
        self._events: list[HistoryEventTypeDef] = []

    def run(self) -> Run:
        """The execution as it is now."""
        # First its status: the history of one that had ended then is whole.
        described = self._client.describe_execution(executionArn=self._execution)
        self._events += self._new_events()
        return read_run(described, self._events, self._scale)

    def _new_events(self) -> "list[HistoryEventTypeDef]":
        seen = self._events[-1]["id"] if self._events else 0
        new: list[HistoryEventTypeDef] = []
        # The newest first, until one is known: a history can have thousands.
        pages = self._client.get_paginator("get_execution_history").paginate(
            executionArn=self._execution, reverseOrder=True, PaginationConfig={"PageSize": 100 if seen else _PAGE}
        )
        for page in pages:
            new += [event for event in page["events"] if event["id"] > seen]
            if page["events"] and page["events"][-1]["id"] <= seen:
                break
        return new[::-1]


def read_run(described: Any, events: "Iterable[HistoryEventTypeDef]", time_scale: float = 1) -> Run:
    """Read an execution.

    Args:
        described: what DescribeExecution answers.
        events: what GetExecutionHistory gives, in order. Neither TaskStarted nor previousEventId is needed, which
            MiniStack's history lacks.
        time_scale: as `Run` has it.
    """
    events = list(events)
    run = Run(
        execution=described["executionArn"],
        began=events[0]["timestamp"] if events else described["startDate"],
        time_scale=time_scale,
        status=described["status"],
        input=_parsed(described.get("input")),
        output=_parsed(described.get("output")) if described["status"] == "SUCCEEDED" else None,
        error=described.get("error") or "",
        cause=_parsed(described.get("cause")),
        events=events,
    )
    for event in events:
        _take(run, event)
    return run


def _take(run: Run, event: "HistoryEventTypeDef") -> None:
    kind, details, seconds = event["type"], _details(event), run.seconds(event["timestamp"])
    step = run.steps[-1] if run.steps else None
    if kind.endswith("StateEntered"):
        run.steps.append(Step(details["name"], kind.removesuffix("StateEntered"), seconds))
        if kind == "WaitStateEntered" and "pollSeconds" in run.variables:
            run.steps[-1].pause = float(run.variables["pollSeconds"])
    elif kind == "ExecutionRedriven":
        run.ended = None
    elif kind in _ENDS:
        run.ended = seconds
        # A Fail state is never exited.
        if step and step.kind == "Fail":
            step.left = seconds
    elif step is None:
        return
    elif kind.endswith(("StateExited", "StateAborted")):
        step.left = seconds
        run.variables.update(details.get("assignedVariables", {}))
    elif kind == "EvaluationFailed":
        _take_failed_expression(step, details, seconds)
    # MiniStack's Map keeps the calls of its children in this history too.
    elif kind.startswith(_MAP_RUN if step.kind == "Map" else _CALLS):
        _take_call(step, kind, details, seconds)


def _take_call(step: Step, kind: str, details: dict[str, Any], seconds: float) -> None:
    if kind.endswith("Scheduled") or kind == "MapRunStarted":
        step.attempts.append(Attempt(seconds))
    step.map_run = details.get("mapRunArn", step.map_run)
    if kind.endswith((*_FAILED, "Succeeded")) and step.attempts:
        step.attempts[-1].ended = seconds
    if kind.endswith(_FAILED) and step.attempts:
        step.attempts[-1].error = details.get("error") or kind
        step.attempts[-1].reason = _reason(details.get("cause"))
    if kind.endswith("Succeeded"):
        answer = _parsed(details.get("output"))
        step.answer = answer.get("Payload", answer) if isinstance(answer, dict) else answer


def _take_failed_expression(step: Step, details: dict[str, Any], seconds: float) -> None:
    # An expression that reads the answer of a call fails after that; one that makes its arguments, instead of it.
    if not step.attempts or step.attempts[-1].error:
        step.attempts.append(Attempt(seconds))
    step.attempts[-1].ended = seconds
    step.attempts[-1].error = details.get("error") or "EvaluationFailed"
    step.attempts[-1].reason = details.get("cause") or ""


def _details(event: "HistoryEventTypeDef") -> dict[str, Any]:
    """The one member of an event that holds its details, under a name that depends on its type."""
    for member, value in event.items():
        if member.endswith("EventDetails") and isinstance(value, dict):
            return value
    return {}


def _reason(cause: str | None) -> str:
    """A cause as a person reads it: of a function's, which is JSON, the message."""
    parsed = _parsed(cause)
    message = parsed.get("errorMessage") if isinstance(parsed, dict) else None
    return message if isinstance(message, str) else cause or ""


def _parsed(text: str | None) -> Any:
    """The value of a JSON text; any other text as it is."""
    if not text:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
