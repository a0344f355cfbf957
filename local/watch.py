"""A run as a person sees it: the events of an execution's history, told line by line."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.type_defs import HistoryEventTypeDef

STATE_ENTERED = "StateEntered"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened in a run.

    Attributes:
        seconds: simulated seconds since the execution started.
        what: the state that was entered, or what came of it.
        detail: more about it; empty where there is none.
        kind: "state", "result", "retry", "end" or "failure", for the looks of it.
    """

    seconds: float
    what: str
    detail: str
    kind: str


class Narrator:
    """Turns history events into lines. Feed it each event once, in order.

    Needs neither TaskStarted nor previousEventId, which MiniStack's history lacks.
    """

    def __init__(self, time_scale: float) -> None:
        """Args: time_scale: real seconds that a simulated second lasts; 1 on AWS."""
        self._scale = time_scale
        self._start: datetime | None = None
        self._state = ""
        self._failed = False

    def tell(self, events: "Iterable[HistoryEventTypeDef]") -> Iterator[Line]:
        """The lines for these events; most events have none."""
        for event in events:
            self._start = self._start or event["timestamp"]
            seconds = (event["timestamp"] - self._start).total_seconds() / self._scale
            line = self._line(event["type"], _details(event), seconds)
            if line is not None:
                yield line

    def _line(self, kind: str, details: dict[str, Any], seconds: float) -> Line | None:
        if kind.endswith(STATE_ENTERED):
            self._state = details["name"]
            self._failed = False
            return Line(seconds, self._state, "", "state")
        if kind.endswith("Succeeded") and kind != "ExecutionSucceeded":
            detail = _answer(details.get("output", ""))
            return Line(seconds, self._state, detail, "result") if detail else None
        if kind in ("TaskFailed", "TaskTimedOut", "LambdaFunctionFailed", "LambdaFunctionTimedOut"):
            self._failed = True
            return Line(seconds, self._state, details.get("error", kind), "failure")
        if kind in ("TaskScheduled", "LambdaFunctionScheduled") and self._failed:
            self._failed = False
            return Line(seconds, self._state, "trying again", "retry")
        if kind.startswith("Execution") and kind != "ExecutionStarted":
            return Line(seconds, kind, details.get("error", ""), "end")
        return None


def _details(event: "HistoryEventTypeDef") -> dict[str, Any]:
    """The one member of an event that holds its details, under a name that depends on its type."""
    for member, value in event.items():
        if member.endswith("EventDetails") and isinstance(value, dict):
            return value
    return {}


def _answer(output: str) -> str:
    """What a task's output says of the builder; empty when it says nothing of one."""
    try:
        payload = json.loads(output)["Payload"]
        look = f"the image builder is {payload['ImageBuilder']['State']}"
    except (ValueError, KeyError, TypeError):
        return ""
    if payload.get("Stopping"):
        return f"AppStream accepted the stop; {look}"
    return f"AppStream accepted the start; {look}" if payload.get("Started") else look


def clock(seconds: float) -> str:
    """Simulated time as minutes and seconds: 07:05."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"
