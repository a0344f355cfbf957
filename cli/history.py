"""An execution as a person follows it: the visits to its states, read from Step Functions' execution history."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from lambdas.image_builder.execution_result import ExecutionResult, read_execution_result
from lambdas.image_builder.request import STARTED_BY_EXECUTION

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

_MAX_PAGE = 1000
"""Events that GetExecutionHistory gives at once. Source: AWS Step Functions API reference, GetExecutionHistory."""

_ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
}


class Line(NamedTuple):
    """One thing that happened.

    Attributes:
        seconds: simulated seconds since the execution started.
        kind: "state", "result", "retry" or "failure"; of the end, "success" or "failed".
        text: what happened.
    """

    seconds: float
    kind: str
    text: str


@dataclass(slots=True)
class Attempt:
    """One call of a task: its error is empty for a success, and the reason is the message in the error's cause."""

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
        answer: the result of the task; None for other states, and where it gave none.
        pause: seconds that a Wait lasts; None where the history does not say.
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
    def builder(self) -> str:
        """The State of the image builder, where the task described it."""
        found = self.answer.get("ImageBuilder") if isinstance(self.answer, dict) else None
        return str(found.get("State") or "") if isinstance(found, dict) else ""

    @property
    def finding(self) -> str:
        """What the task found out, in words; empty where it described no image builder."""
        if not self.builder:
            return ""
        tracking, call = self.answer.get("Tracking") or {}, ""
        if self.answer.get("LostAnswer"):
            call = "AppStream's answer to the start was lost; "
        elif self.name == "Start image builder" and tracking.get("Claim") == "Confirmed":
            call = "AppStream accepted the start; "
        elif self.name == "Stop image builder" and tracking.get("Called"):
            call = "AppStream was asked to stop it; "
        return f"{call}the image builder is {self.builder}"

    @property
    def errors(self) -> list[str]:
        """Of its failed attempts, in order."""
        return [attempt.error for attempt in self.attempts if attempt.error]


@dataclass(frozen=True, slots=True)
class Entry:
    """A part of a timeline: a visit to a state, or rounds of waiting and polling that found nothing new.

    Attributes:
        steps: the visits, in order.
        folded: whether these are such rounds.
        settled: whether later events leave this entry as it is.
    """

    steps: list[Step]
    folded: bool = False
    settled: bool = True

    def lines(self) -> Iterator[Line]:
        """The state, and what happened in it."""
        step, found = self.steps[0], [step.builder for step in self.steps if step.builder]
        if self.folded:
            times = "once" if len(found) == 1 else f"{len(found)} times"
            yield Line(step.entered, "state", f"Polled {times}: the image builder is still {found[0]}")
            return
        yield Line(step.entered, "state", step.name)
        for number, attempt in enumerate(step.attempts):
            if number:
                yield Line(attempt.began, "retry", "trying again")
            if attempt.error:
                # Our functions' messages begin with the error.
                named = attempt.reason if attempt.reason.startswith(attempt.error) else ""
                text = named or ": ".join(filter(None, (attempt.error, attempt.reason)))
                yield Line(attempt.ended or attempt.began, "failure", text)
        if step.finding:
            yield Line(step.attempts[-1].ended or step.entered, "result", step.finding)


@dataclass(slots=True)
class Run:
    """An execution, as far as its history goes.

    Attributes:
        execution: its ARN.
        began: when it started.
        time_scale: real seconds that a simulated second lasts; 1 on AWS.
        input: the execution's.
        status: RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
        output: of a success.
        error: of any other end; may be empty.
        cause: what the execution's Cause is: the object, where it is JSON.
        steps: the visits to its states, in order.
        ended: simulated seconds from start to end; None while it goes on.
        variables: what the states have assigned, as JSON texts.
        events: as Step Functions gave them.
    """

    execution: str
    began: datetime
    time_scale: float = 1
    input: Any = None
    status: str = "RUNNING"
    output: Any = None
    error: str = ""
    cause: Any = ""
    steps: list[Step] = field(default_factory=list)
    ended: float | None = None
    variables: dict[str, str] = field(default_factory=dict)
    events: "Sequence[HistoryEventTypeDef]" = ()

    def seconds(self, moment: datetime) -> float:
        """Simulated seconds from the execution's start to a moment."""
        return (moment - self.began).total_seconds() / self.time_scale

    @property
    def request(self) -> dict[str, Any]:
        """The request: the input itself, or the detail of an event; empty where that is no object."""
        request = self.input.get("detail", self.input) if isinstance(self.input, dict) else None
        return request if isinstance(request, dict) else {}

    @property
    def name(self) -> str:
        """Of the image builder, as the request gives it; empty where it gives none."""
        name = self.request.get("Name")
        return name if isinstance(name, str) else ""

    @property
    def title(self) -> str:
        """What it is for, in words: a start and the auto-stop that it scheduled have different titles."""
        machine = self.execution.split(":")[-2]
        if "StartFleet" in machine:
            return "Start of a fleet of image builders"
        nested = STARTED_BY_EXECUTION in self.request
        aim = ("Auto-stop" if nested else "Stop") if "StopImageBuilder" in machine else "Start"
        return f"{aim} of {f'image builder {self.name}' if self.name else 'an image builder without a name'}"

    @property
    def builder(self) -> str:
        """The State of the image builder when it was last described."""
        return next((step.builder for step in reversed(self.steps) if step.builder), "")

    @property
    def summary(self) -> dict[str, Any]:
        """What the workflow itself reports at its end: the result, or the Cause; empty where that is no object."""
        said = self.output if self.status == "SUCCEEDED" else self.cause
        return said if isinstance(said, dict) else {}

    @property
    def failure(self) -> ExecutionResult | None:
        """The failure as the operators are notified of it; None of a success, and while the execution goes on."""
        if self.status in ("SUCCEEDED", "RUNNING"):
            return None
        cause = json.dumps(self.cause) if isinstance(self.cause, dict) else self.cause
        described = {"executionArn": self.execution, "status": self.status, "input": self.input, "error": self.error}
        return read_execution_result({**described, "cause": cause})

    @property
    def outcome(self) -> tuple[str, str]:
        """How it ended, in sentences, and what to do; both empty while it goes on."""
        if self.failure:
            return self.failure.message, self.failure.advice
        found, outcome = self.summary, self.summary.get("Outcome")
        sentences = (
            f"{found.get('Running')} of {found['Requested']} image builders are RUNNING."
            if "Requested" in found
            else "",
            f"{self.name or 'The image builder'} is {self.builder}." if outcome and self.builder else "",
            "This execution started it." if found.get("Started") else "",
            "Nothing was started." if outcome in ("AlreadyRunning", "DryRun") else "",
            found.get("Why"),
            f"The execution waited {minutes(found['WaitedSeconds'])}." if found.get("WaitedSeconds") else "",
        )
        return " ".join(filter(None, sentences)), found.get("Advice", "")


class Follower:
    """Reads an execution again and again, fetching only new events."""

    def __init__(self, stepfunctions: "SFNClient", execution: str, time_scale: float = 1) -> None:
        """Args: execution: its ARN. time_scale: as `Run` has it."""
        self._pages = stepfunctions.get_paginator("get_execution_history")
        self._execution, self._scale = execution, time_scale
        self._events: list[HistoryEventTypeDef] = []

    def run(self) -> Run:
        """The execution as it is now."""
        # All of it comes from the history: DescribeExecution, asked a moment earlier or later, may show another status.
        seen = self._events[-1]["id"] if self._events else 0
        new: list[HistoryEventTypeDef] = []
        # The newest first, until one is known: a history can have thousands.
        for page in self._pages.paginate(
            executionArn=self._execution, reverseOrder=True, PaginationConfig={"PageSize": 100 if seen else _MAX_PAGE}
        ):
            new += [event for event in page["events"] if event["id"] > seen]
            if page["events"] and page["events"][-1]["id"] <= seen:
                break
        self._events += reversed(new)
        return read_run(self._execution, self._events, self._scale)


def read_run(execution: str, events: "Sequence[HistoryEventTypeDef]", time_scale: float = 1) -> Run:
    """Read an execution.

    Args:
        execution: its ARN.
        events: of GetExecutionHistory, in order. Neither TaskStarted nor previousEventId is needed, which MiniStack's
            history lacks.
        time_scale: as `Run` has it.
    """
    began = events[0]["timestamp"] if events else datetime.now(UTC)
    run = Run(execution, began, time_scale, events=events)
    for event in events:
        _take(run, event)
    return run


def timeline(run: Run) -> list[Entry]:
    """What happened, in order. Rounds of waiting and polling that found nothing new become one entry."""
    rounds: list[list[Step]] = [[]]
    for step in run.steps:
        if step.kind == "Wait":
            rounds.append([])
        rounds[-1].append(step)
    entries: list[Entry] = []
    before = ""
    for number, steps in enumerate(rounds, 1):
        found = [step.finding for step in steps if step.finding]
        news = not before or any(text != f"the image builder is {before}" for text in found)
        news = news or any(step.errors for step in steps)
        last = number == len(rounds)
        if found and not news and not last:
            if not (entries and entries[-1].folded):
                entries.append(Entry([], folded=True, settled=False))
            entries[-1].steps.extend(steps)
        else:
            # The last round may yet become one that found nothing new.
            settled = news or not last or run.ended is not None
            entries += [Entry([step], settled=settled) for step in steps]
        before = next((step.builder for step in reversed(steps) if step.builder), before)
    return entries


def _take(run: Run, event: "HistoryEventTypeDef") -> None:
    kind, details, seconds = event["type"], _details(event), run.seconds(event["timestamp"])
    step = run.steps[-1] if run.steps else None
    if kind == "ExecutionStarted":
        run.input = parsed(details.get("input"))
    elif kind.endswith("StateEntered"):
        run.steps.append(Step(details["name"], kind.removesuffix("StateEntered"), seconds))
        if kind == "WaitStateEntered" and "pollSeconds" in run.variables:
            run.steps[-1].pause = float(run.variables["pollSeconds"])
    elif kind == "ExecutionRedriven":
        run.ended, run.status, run.error, run.cause = None, "RUNNING", "", ""
    elif kind in _ENDS:
        run.ended, run.status, run.output = seconds, _ENDS[kind], parsed(details.get("output"))
        run.error, run.cause = details.get("error") or "", parsed(details.get("cause"))
        # A Fail state is never exited.
        if step and step.kind == "Fail":
            step.left = seconds
    elif step and kind.endswith(("StateExited", "StateAborted")):
        step.left = seconds
        run.variables.update(details.get("assignedVariables", {}))
    elif step:
        _take_call(step, kind, details, seconds)


def _take_call(step: Step, kind: str, details: dict[str, Any], seconds: float) -> None:
    attempts = step.attempts
    if kind == "EvaluationFailed":
        # An expression that reads the result of a call fails after that; one that makes its arguments, instead of it.
        if not attempts or attempts[-1].error:
            attempts.append(Attempt(seconds))
    # A distributed Map calls nothing itself; MiniStack's Map has the calls of its children in this history too.
    elif not kind.startswith("MapRun" if step.kind == "Map" else ("Task", "LambdaFunction")):
        return
    if kind.endswith("Scheduled") or kind == "MapRunStarted":
        attempts.append(Attempt(seconds))
    step.map_run = details.get("mapRunArn", step.map_run)
    if kind.endswith("Succeeded"):
        answer = parsed(details.get("output"))
        step.answer = answer.get("Payload", answer) if isinstance(answer, dict) else answer
    if kind.endswith(("Failed", "TimedOut", "Succeeded")) and attempts:
        attempts[-1].ended = seconds
    if kind.endswith(("Failed", "TimedOut")) and attempts:
        attempts[-1].error, attempts[-1].reason = details.get("error") or kind, _reason(details.get("cause") or "")


def _reason(cause: str) -> str:
    """The message in a cause. That of a function's error is JSON with its message, which may be JSON with another."""
    for member in ("errorMessage", "Message"):
        found = parsed(cause)
        if isinstance(found, dict) and isinstance(found.get(member), str):
            cause = found[member]
    return cause


def _details(event: "HistoryEventTypeDef") -> dict[str, Any]:
    """The one member of an event that holds its details, under a name that depends on its type."""
    found = (value for member, value in event.items() if member.endswith("EventDetails") and isinstance(value, dict))
    return next(found, {})


def parsed(text: Any) -> Any:
    """The value of a JSON text; any other text, and None, as it is."""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def clock(seconds: float) -> str:
    """A time as minutes and seconds: 07:05."""
    whole, rest = divmod(int(seconds), 60)
    return f"{whole:02d}:{rest:02d}"


def minutes(seconds: float) -> str:
    """A time as a person says it: "45 seconds", "1 minute", "12 minutes"."""
    count, unit = (round(seconds), "second") if round(seconds) < 60 else (round(seconds / 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
