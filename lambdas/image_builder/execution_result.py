"""How an execution ended: read from what Step Functions' status change event, or the workflow itself, says of it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdas.image_builder.request import is_builder_name


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What a person has to know about the end of an execution.

    Attributes:
        execution: its ARN.
        status: SUCCEEDED, FAILED, TIMED_OUT or ABORTED, as Step Functions names it.
        aim: what the execution was to do: "start", "stop" or "fleet"; empty where it did not say.
        name: of the image builder; None where the request named none that can exist.
        error: why it failed; empty for a success.
        route: whose turn it is: "fail", the one who asked; "notify", an operator; "uncaught", an operator too, as the
            workflow could not route it. Empty for a success.
        message: what happened.
        advice: what to do.
        state: the last known State of the image builder; None where it was never seen.
        told: whether the workflow has told the operators itself.
    """

    execution: str
    status: str
    aim: str
    name: str | None
    error: str
    route: str
    message: str
    advice: str
    state: str | None
    told: bool

    @property
    def section(self) -> str:
        """Of the runbook: what to do about this end. Empty for a success."""
        # Whoever stops an execution may name any error.
        return {"ABORTED": "Aborted", "TIMED_OUT": "States.Timeout"}.get(self.status, self.error)


def read_execution_result(detail: Mapping[str, Any]) -> ExecutionResult:
    """Read what Step Functions answers about an execution.

    Args:
        detail: as DescribeExecution answers it; the workflow sends the same members about itself. `input`, `output` and
            `cause` are JSON texts or the objects themselves; each may be missing or null. Source: AWS Step Functions
            API reference, DescribeExecution.
    """
    status, cause = detail["status"], _object(detail.get("cause"))
    if status == "SUCCEEDED":
        return _success(detail, _object(detail.get("output")))
    # Whoever stops an execution may give a cause of their own: only the workflow's says whose turn it is.
    if status == "FAILED" and all(isinstance(cause.get(key), str) for key in ("Route", "Message", "Advice")):
        return _ending(
            detail,
            aim=cause.get("Aim", "start"),
            name=cause.get("Name"),
            error=detail.get("error") or "Unknown",
            route=cause["Route"],
            message=cause["Message"],
            advice=cause["Advice"],
            state=_object(cause.get("ImageBuilder")).get("State"),
            told=cause.get("OperatorsNotified") is True,
        )
    error, message, advice = _uncaught(status, detail.get("error"), detail.get("cause"))
    request = _object(detail.get("input"))
    name = request.get("Name", _object(request.get("detail")).get("Name"))
    return _ending(detail, name=name, error=error, route="uncaught", message=message, advice=advice)


def _success(detail: Mapping[str, Any], output: Mapping[str, Any]) -> ExecutionResult:
    builder = _object(output.get("ImageBuilder"))
    how = "This execution started it" if output.get("Started") else "It was running, or somebody else had started it"
    minutes = round(output.get("WaitedSeconds", 0) / 60)
    return _ending(
        detail,
        aim="start",
        name=builder.get("Name"),
        message=f"{how}; the execution waited {minutes} minutes for it.",
        advice=output.get("Advice", ""),
        state=builder.get("State"),
    )


def _uncaught(status: str, error: str | None, cause: object) -> tuple[str, str, str]:
    """Error, message and advice of an end that the workflow did not make itself."""
    said = cause if isinstance(cause, str) and cause else "No cause was given."
    if status == "TIMED_OUT":
        return (
            error or "States.Timeout",
            "The execution ran longer than its state machine allows (TimeoutSeconds) and was ended by Step Functions.",
            "The workflow bounds its own waiting far below that, so look in the execution's history for what kept it. "
            "See whether the image builder runs, and start again if it does not.",
        )
    if status == "ABORTED":
        return (
            error or "Aborted",
            f"Somebody stopped the execution before its end. {said}",
            "If that was not on purpose: AWS CloudTrail lists StopExecution calls. The image builder may be starting, "
            "and is billed once it runs: see how it is.",
        )
    return (
        error or "Unknown",
        f"The workflow broke off. {said[:8_000]}",
        "BuilderStatus at the execution's last event: the workflow has no branch for this. See whether the image builder runs, "
        "start again if it does not, and report the error to whoever keeps this workflow.",
    )


def _ending(
    detail: Mapping[str, Any],
    *,
    name: object,
    message: str,
    advice: str,
    aim: str = "",
    error: str = "",
    route: str = "",
    state: str | None = None,
    told: bool = False,
) -> ExecutionResult:
    known = name if isinstance(name, str) and is_builder_name(name) else None
    return ExecutionResult(
        detail["executionArn"], detail["status"], aim, known, error, route, message, advice, state, told
    )


def _object(value: object) -> dict[str, Any]:
    """The JSON object that a value is, or is the text of; empty where it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
