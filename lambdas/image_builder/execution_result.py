"""How an execution ended: read from Step Functions or from the workflow itself, and what operators read about it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lambdas.image_builder import notification
from lambdas.image_builder.errors import ADVICE, GENERIC_CODES
from lambdas.image_builder.notification import Notice, Reference, Step, command, console, json_argument, part
from lambdas.image_builder.request import STARTED_BY_EXECUTION, InvalidRequest, is_builder_name, parse_request

SCHEDULE_SOURCE = "start-image-builder.schedule"  # of the event that a schedule makes (infra/triggers.py)
# The Error with which `make cancel-auto-stop` and `make extend-auto-stop` stop an execution of the stop workflow.
AUTO_STOP_CANCELLED = "AutoStopCancelled"
_NOT_BILLED = ("STOPPED", "STOPPING", "FAILED", "DELETING")


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What operators need to know about an execution that ended. Texts are as they came: `quote` makes them inert."""

    execution: str  # its ARN
    status: str  # SUCCEEDED, FAILED, TIMED_OUT or ABORTED, as Step Functions names it
    aim: str = ""  # "start", "stop" or "fleet"; empty where the execution did not say
    name: str | None = None  # of the image builder; None where the request named none that can exist
    error: str = ""  # why it failed; empty for a success
    route: str = ""  # "fail", "notify", or "uncaught" where the workflow did not route it; empty for a success
    message: str = ""  # what happened
    advice: str = ""  # what to do
    builder: Mapping[str, Any] = field(default_factory=dict)  # as it was last described
    notified: bool = False  # whether the workflow has notified the operators itself
    attempts: int = 0  # how often the workflow tried; 0 where that is not known

    @property
    def section(self) -> str:
        """The section of the runbook about it; empty for a success."""
        # The caller of StopExecution may name any error.
        return {"ABORTED": "Aborted", "TIMED_OUT": "States.Timeout"}.get(self.status, self.error)

    @property
    def state(self) -> str:
        """The last known State of the image builder, or nothing."""
        return str(self.builder.get("State") or "")


def read_execution_result(detail: Mapping[str, Any]) -> ExecutionResult:
    """Read what Step Functions answers about an execution.

    Args:
        detail: as DescribeExecution answers it; the workflow sends the same members about itself. `input`, `output` and
            `cause` are JSON texts or the objects themselves; each may be missing or null. The workflow that starts
            adds `attempts`. Source: AWS Step Functions API reference, DescribeExecution.
    """
    execution, status, text = detail["executionArn"], detail["status"], detail.get("cause")
    if status == "SUCCEEDED":
        return _success(execution, json_object(detail.get("output")))
    cause = json_object(text)
    # The caller of StopExecution may give any cause: only the workflow's own has a route.
    if status == "FAILED" and all(isinstance(cause.get(key), str) for key in ("Route", "Message", "Advice")):
        attempts = detail.get("attempts")
        return ExecutionResult(
            execution,
            status,
            aim=str(cause.get("Aim", "start")),
            name=_name(cause.get("Name")),
            error=detail.get("error") or "Unknown",
            route=cause["Route"],
            message=cause["Message"],
            advice=cause["Advice"],
            builder=json_object(cause.get("ImageBuilder")),
            notified=cause.get("OperatorsNotified") is True,
            attempts=attempts if isinstance(attempts, int) else 0,
        )
    uncaught = ADVICE["Uncaught"].get(status, ADVICE["Uncaught"]["FAILED"])
    said = str(text)[:8_000] if text else "No cause was given."
    return ExecutionResult(
        execution,
        status,
        name=_name(request_of(detail).get("Name")),
        error=detail.get("error") or uncaught["Error"],
        route="uncaught",
        message=f"{uncaught['Message']} {said}",
        advice=uncaught["Advice"],
    )


def request_of(detail: Mapping[str, Any]) -> dict[str, Any]:
    """The request in the input of an execution, also inside an event; empty where there is none."""
    execution_input = json_object(detail.get("input"))
    request = json_object(execution_input.get("detail")) if "detail-type" in execution_input else execution_input
    return {key: value for key, value in request.items() if key != STARTED_BY_EXECUTION}


def now() -> datetime:
    """The time of a notification, in UTC."""
    return datetime.now(UTC)


def notice_of(result: ExecutionResult, described: Mapping[str, Any]) -> Notice:
    """What operators read about the result of an execution.

    Args:
        result: of the execution.
        described: what DescribeExecution answers; empty where it did not answer.
    """
    arn = result.execution
    reported = _reported_code(result.builder) if result.error == "ImageBuilderFailed" else ""
    builders = "Image builders" if result.aim == "fleet" else "Image builder"
    return Notice(
        outcome="FAILED" if result.error else "RUNNING",
        name="fleet" if result.aim == "fleet" else result.name or "image builder",
        cause=reported or result.error,
        headline=_headline(result),
        message=result.message,
        error=result.error,
        actor={"": "", "fail": "the requester"}.get(result.route, "an operator"),
        steps=_steps(result, described),
        history=_history(result, described),
        references=(
            # The guide opens the list with "Images, Image Builder"; the query is the console's own for that tab, and a
            # console that does not know it shows the page. Source: AppStream 2.0 administration guide, Connect to an
            # Image Builder.
            Reference(builders, _builder(result), console(arn, "appstream2/home", "/images?topTab=image-builders")),
            Reference("Execution", arn, console(arn, "states/home", f"/v2/executions/details/{arn}")),
        ),
        arn=arn,
        event=f"ImageBuilderStart{result.status.title().replace('_', '')}",
        section=result.section,
    )


def _success(execution: str, output: Mapping[str, Any]) -> ExecutionResult:
    builder = json_object(output.get("ImageBuilder"))
    how = "This execution started it" if output.get("Started") else "It was running, or someone else had started it"
    return ExecutionResult(
        execution,
        "SUCCEEDED",
        aim="start",
        name=_name(builder.get("Name")),
        message=f"{how}. The execution waited {_duration(output.get('WaitedSeconds', 0))} for it.",
        advice=str(output.get("Advice", "")),
        builder=builder,
    )


def _headline(result: ExecutionResult) -> str:
    builder = f"Image builder {result.name}" if result.name else "An image builder"
    if result.status == "SUCCEEDED":
        return f"{builder} is running"
    if result.error == "AutoStopNotScheduled":
        return f"{builder} has no auto-stop"
    return {
        "start": f"{builder} did not start",
        "stop": f"{builder} was not stopped",
        "fleet": "Not all image builders of a fleet started",
    }.get(result.aim, f"{builder}: the execution did not end by itself")


def _builder(result: ExecutionResult) -> str:
    which = "several" if result.aim == "fleet" else result.name or "the request names none that can exist"
    place = f"{which}, account {part(result.execution, 4)}, {part(result.execution, 3)}"
    if not result.state:
        return place
    billed = "it is billed now" if result.state == "RUNNING" else "it is billed once it is RUNNING"
    return f"{place} ({result.state} at the last poll" + (")" if result.state in _NOT_BILLED else f"; {billed})")


def _reported_code(builder: Mapping[str, Any]) -> str:
    """The most specific code that AppStream reports of an image builder."""
    errors = builder.get("ImageBuilderErrors")
    codes = [json_object(error).get("ErrorCode") for error in errors] if isinstance(errors, list) else []
    codes.append(json_object(builder.get("StateChangeReason")).get("Code"))
    known = [code for code in codes if isinstance(code, str)]
    return next((code for code in known if code not in GENERIC_CODES), known[0] if known else "")


def _steps(result: ExecutionResult, described: Mapping[str, Any]) -> list[Step]:
    arn, steps = result.execution, [Step(result.advice)] if result.advice else []
    if result.route in ("notify", "uncaught"):
        if result.name:
            describe = command("appstream", arn, "describe-image-builders", "--names", result.name)
            steps.append(Step("See the state of the image builder: it is billed while it is RUNNING.", describe))
        query = f"filter execution = {json_argument(arn)} | sort @timestamp"
        steps.append(
            Step("Read the log lines of the execution in CloudWatch Logs Insights, over the stack's log groups.", query)
        )
    if result.name and (result.aim == "stop" or result.error in ("", "AutoStopNotScheduled")):
        stop = command("appstream", arn, "stop-image-builder", "--name", result.name)
        return [*steps, Step("Stop the image builder by hand when nobody needs it.", stop)]
    return [*steps, *_start_again(result, described)] if result.error else steps


def _start_again(result: ExecutionResult, described: Mapping[str, Any]) -> list[Step]:
    arn = result.execution
    machine = described.get("stateMachineAliasArn") or described.get("stateMachineArn")
    machine = machine or arn.replace(":execution:", ":stateMachine:").rpartition(":")[0]
    start = notification.start_command(machine)
    describe = command("stepfunctions", arn, "describe-execution", "--execution-arn", arn)
    read = f"{describe} --query input --output text"
    if result.route == "fail":
        return [
            Step("Save the input of the execution, and correct it.", f"{read} > request.json"),
            Step("Start again with the corrected request.", f"{start} file://request.json"),
        ]
    when = "if it is still wanted" if result.status == "ABORTED" else "when the cause is fixed"
    fleet = " Image builders that are RUNNING are left alone." if result.aim == "fleet" else ""
    try:
        # Only a request that keeps the contract is shown: another one may hold a secret in an unknown field.
        parse_request(request := request_of(described))
        shown = json_argument(request)
    except (InvalidRequest, RecursionError):
        shown = ""
    same = f"'{shown}'" if 0 < len(shown) <= notification.MAX_ARGUMENT else f'"$({read})"'
    return [Step(f"Start again with the same request, {when}.{fleet}", f"{start} {same}")]


def _history(result: ExecutionResult, described: Mapping[str, Any]) -> list[str]:
    began, stopped = described.get("startDate"), described.get("stopDate")
    ended = stopped if isinstance(stopped, datetime) else now()
    end = f"{'Failed' if result.error else 'Finished'} at {ended.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    if not isinstance(began, datetime):
        return [f"{end}. Who started it is not known: it could not be described."]
    tries = f" and after {result.attempts} attempts" if result.attempts > 1 else ""
    starter = _starter(json_object(described.get("input")))
    return [
        f"{end}, {_duration((ended - began).total_seconds())} after its start{tries}.",
        f"Started at {began.astimezone(UTC):%Y-%m-%d %H:%M} UTC by {starter}.",
    ]


def _starter(execution_input: Mapping[str, Any]) -> str:
    """Who or what started an execution, as far as its input says."""
    if parent := execution_input.get(STARTED_BY_EXECUTION):
        return f"the execution {parent}"
    if "detail-type" not in execution_input:
        return "a StartExecution call (AWS CloudTrail shows the caller)"
    source, time, resources = (execution_input.get(key) for key in ("source", "time", "resources"))
    arn = str(resources[0]) if isinstance(resources, list) and resources else ""
    if source == SCHEDULE_SOURCE:
        return f"the schedule {arn.rpartition('/')[2]}, due at {time} ({arn})"
    return f"the event {execution_input['detail-type']} from {source} of {time}"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _name(name: object) -> str | None:
    return name if isinstance(name, str) and is_builder_name(name) else None


def json_object(value: object) -> dict[str, Any]:
    """The JSON object that a value is, or is the text of; empty where it is none."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}
