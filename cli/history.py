"""An execution as a person follows it: the visits to its states, read from Step Functions' execution history."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from lambdas.image_builder.execution_result import ExecutionResult, json_object, read_execution_result
from lambdas.image_builder.request import STARTED_BY_EXECUTION

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

_ENDS = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionAborted": "ABORTED",
    "ExecutionTimedOut": "TIMED_OUT",
}


class Line(NamedTuple):
    """One thing that happened, in simulated seconds since the execution started.

    Its kind is "state", "result", "retry" or "failure"; of the end, "success" or "failed".
    """

    seconds: float
    kind: str
    text: str


@dataclass(slots=True)
class Step:
    """One visit to a state. Times in simulated seconds since the execution started."""

    name: str
    kind: str  # the Type of the state
    entered: float
    left: float | None = None  # None for the current one, and for the last of a run that did not end by itself
    lines: list[Line] = field(default_factory=list)  # what happened in it
    errors: list[str] = field(default_factory=list)  # of calls and expressions
    failed: bool = False  # the last call, or an expression after it
    map_run: str = ""  # the ARN of the last Map Run
    answer: Any = None  # the result of the task
    builder: str = ""  # the State of the image builder, where the task described it
    pause: float | None = None  # how long a Wait lasts, where the history says


class Entry(NamedTuple):
    """A part of a timeline: a visit to a state, or rounds of waiting and polling that found nothing new.

    It is settled when no later event can change it.
    """

    steps: list[Step]
    folded: bool = False
    settled: bool = True

    def lines(self) -> Iterator[Line]:
        """The state, and what happened in it."""
        step = self.steps[0]
        if self.folded:
            found = [step.builder for step in self.steps if step.builder]
            times = "once" if len(found) == 1 else f"{len(found)} times"
            yield Line(step.entered, "state", f"Polled {times}: the image builder is still {found[0]}")
        else:
            yield Line(step.entered, "state", step.name)
            yield from step.lines


@dataclass(slots=True)
class Run:
    """An execution, as far as its history goes."""

    execution: str  # its ARN
    began: datetime
    time_scale: float = 1  # real seconds that a simulated second lasts; 1 on AWS
    input: Any = None
    request: dict[str, Any] = field(default_factory=dict)  # the input itself, or the detail of an event
    name: str = ""  # of the image builder, as the request gives it
    builder: str = ""  # the State of the image builder when it was last described
    status: str = "RUNNING"  # or SUCCEEDED, FAILED, TIMED_OUT, ABORTED
    output: Any = None
    error: str = ""
    cause: str = ""
    summary: dict[str, Any] = field(default_factory=dict)  # the result, or the Cause
    steps: list[Step] = field(default_factory=list)
    ended: float | None = None  # simulated seconds from start to end
    variables: dict[str, str] = field(default_factory=dict)  # that the states have assigned, as JSON texts
    events: "Sequence[HistoryEventTypeDef]" = ()

    def seconds(self, moment: datetime) -> float:
        """Simulated seconds from the execution's start to a moment."""
        return (moment - self.began).total_seconds() / self.time_scale

    @property
    def elapsed(self) -> float:
        """Simulated seconds from the start to the end, or to now."""
        # This machine's clock may be behind AWS's.
        return max(0.0, self.seconds(datetime.now(UTC))) if self.ended is None else self.ended

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
    def failure(self) -> ExecutionResult | None:
        """The failure as the operators are notified of it; None of a success, and while the execution goes on."""
        if self.status in ("SUCCEEDED", "RUNNING"):
            return None
        described = {"executionArn": self.execution, "status": self.status, "input": self.input}
        return read_execution_result({**described, "error": self.error, "cause": self.cause})

    @property
    def outcome(self) -> tuple[str, str]:
        """How it ended, in sentences, and what to do; both empty while it goes on."""
        if self.failure:
            return self.failure.message, self.failure.advice
        found, outcome = self.summary, self.summary.get("Outcome")
        sentences = []
        if "Requested" in found:
            sentences.append(f"{found.get('Running')} of {found['Requested']} image builders are RUNNING.")
        if outcome and self.builder:
            sentences.append(f"{self.name or 'The image builder'} is {self.builder}.")
        if found.get("Started"):
            sentences.append("This execution started it.")
        if outcome in ("AlreadyRunning", "DryRun"):
            sentences.append("Nothing was started.")
        if why := found.get("Why"):
            sentences.append(why)
        if waited := found.get("WaitedSeconds"):
            sentences.append(f"The execution waited {minutes(waited)}.")
        return " ".join(sentences), found.get("Advice", "")


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
        # The newest first, until one is known: a history can have thousands. A page has at most 1,000.
        size = {"PageSize": 100 if seen else 1000}
        pages = self._pages.paginate(executionArn=self._execution, reverseOrder=True, PaginationConfig=size)  # type: ignore[arg-type]  # TypedDict
        newest_first = (event for page in pages for event in page["events"])
        self._events += reversed(list(takewhile(lambda event: event["id"] > seen, newest_first)))
        return read_run(self._execution, self._events, self._scale)


def read_run(execution: str, events: "Sequence[HistoryEventTypeDef]", time_scale: float = 1) -> Run:
    """Read an execution, by its ARN and its events in order.

    Neither TaskStarted nor previousEventId is needed, which MiniStack's history lacks.
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
        happened = {line.text for step in steps for line in step.lines}
        nothing_new = bool(before) and happened <= {f"the image builder is {before}"}
        last = number == len(rounds)
        if happened and nothing_new and not last:
            if not (entries and entries[-1].folded):
                entries.append(Entry([], folded=True, settled=False))
            entries[-1].steps.extend(steps)
        else:
            # The last round may yet become one that found nothing new.
            settled = not (nothing_new and last) or run.ended is not None
            entries += [Entry([step], settled=settled) for step in steps]
        before = next((step.builder for step in reversed(steps) if step.builder), before)
    return entries


def _take(run: Run, event: "HistoryEventTypeDef") -> None:
    kind, seconds = event["type"], run.seconds(event["timestamp"])
    # The one member that holds its details has a name that depends on its type.
    details: Any = next((value for member, value in event.items() if member.endswith("EventDetails")), None) or {}
    step = run.steps[-1] if run.steps else None
    if kind == "ExecutionStarted":
        run.input = parsed(details.get("input"))
        given = json_object(run.input)
        run.request = json_object(given.get("detail", given))
        name = run.request.get("Name")
        run.name = name if isinstance(name, str) else ""
    elif kind.endswith("StateEntered"):
        run.steps.append(Step(details["name"], kind.removesuffix("StateEntered"), seconds))
        if kind == "WaitStateEntered" and "pollSeconds" in run.variables:
            run.steps[-1].pause = float(run.variables["pollSeconds"])
    elif kind == "ExecutionRedriven":
        run.ended, run.status, run.error, run.cause, run.summary = None, "RUNNING", "", "", {}
    elif kind in _ENDS:
        run.ended, run.status, run.output = seconds, _ENDS[kind], parsed(details.get("output"))
        run.error, run.cause = details.get("error") or "", details.get("cause") or ""
        run.summary = json_object(run.output if run.status == "SUCCEEDED" else run.cause)
        # A Fail state is never exited.
        if step and step.kind == "Fail":
            step.left = seconds
    elif step and kind.endswith(("StateExited", "StateAborted")):
        step.left = seconds
        run.variables.update(details.get("assignedVariables", {}))
    elif step:
        _take_call(step, kind, details, seconds)
        run.builder = step.builder or run.builder


def _take_call(step: Step, kind: str, details: dict[str, Any], seconds: float) -> None:
    # A distributed Map calls nothing itself; MiniStack's Map has the calls of its children in this history too.
    calls = "MapRun" if step.kind == "Map" else ("Task", "LambdaFunction")
    if kind != "EvaluationFailed" and not kind.startswith(calls):
        return
    if step.failed:
        step.lines.append(Line(seconds, "retry", "trying again"))
        step.failed = False
    step.map_run = details.get("mapRunArn", step.map_run)
    if kind.endswith("Succeeded"):
        answer = parsed(details.get("output"))
        step.answer = answer.get("Payload", answer) if isinstance(answer, dict) else answer
        step.builder = str(json_object(json_object(step.answer).get("ImageBuilder")).get("State") or "")
        if step.builder:
            step.lines.append(Line(seconds, "result", f"{_call(step)}the image builder is {step.builder}"))
    elif kind.endswith(("Failed", "TimedOut")):
        error, reason = details.get("error") or kind, _reason(details.get("cause") or "")
        # Our functions' messages begin with the error.
        text = reason if reason.startswith(error) else ": ".join(filter(None, (error, reason)))
        step.lines.append(Line(seconds, "failure", text))
        step.errors.append(error)
        step.failed = True


def _call(step: Step) -> str:
    """What AppStream answered to a start or a stop."""
    answer = json_object(step.answer)
    tracking = json_object(answer.get("Tracking"))
    if answer.get("LostAnswer"):
        return "AppStream's answer to the start was lost; "
    if step.name == "Start image builder" and tracking.get("Claim") == "Confirmed":
        return "AppStream accepted the start; "
    if step.name == "Stop image builder" and tracking.get("Called"):
        return "AppStream was asked to stop it; "
    return ""


def _reason(cause: str) -> str:
    """The message in a cause. That of a function's error is JSON with its message, which may be JSON with another."""
    for member in ("errorMessage", "Message"):
        found = json_object(cause).get(member)
        cause = found if isinstance(found, str) else cause
    return cause


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
