"""`make auto-stops`: list, extend and cancel the stops that are pending: auto-stops, and stops that were requested."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from cli.account import AccountError, client, said_plainly
from cli.history import minutes, parsed
from cli.options import option
from cli.watch import printable

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_stepfunctions.client import SFNClient

CANCELLED = "AutoStopCancelled"
"""The Error of an execution that was stopped here: it ends as ABORTED, on purpose."""


@dataclass(frozen=True, slots=True)
class PendingStop:
    """An execution of a stop workflow that goes on.

    Attributes:
        execution: its ARN.
        alias: the ARN of the alias that the stop workflow is started by.
        started: when.
        request: its input.
    """

    execution: str
    alias: str
    started: datetime
    request: dict[str, Any]

    @property
    def name(self) -> str:
        """Of the image builder."""
        return str(self.request.get("Name", ""))

    def __str__(self) -> str:
        after = self.request.get("StopAfterMinutes", 0)
        when = f"{after} minutes after it is RUNNING" if after else "as soon as it is RUNNING"
        age = minutes((datetime.now(UTC) - self.started).total_seconds())
        return printable(f"{self.name}  stops {when}, scheduled {age} ago  {self.execution}").replace("\n", "\\n")


def pending(cloudformation: "CloudFormationClient", stepfunctions: "SFNClient") -> Iterator[PendingStop]:
    """The pending stops of all deployments of this account and Region."""
    for page in cloudformation.get_paginator("describe_stacks").paginate():
        for stack in page["Stacks"]:
            outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
            if {"StopStateMachineArn", "StopAliasArn"} <= outputs.keys():
                yield from _pending(stepfunctions, outputs["StopStateMachineArn"], outputs["StopAliasArn"])


def _pending(stepfunctions: "SFNClient", machine: str, alias: str) -> Iterator[PendingStop]:
    pages = stepfunctions.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter="RUNNING")
    for page in pages:
        for execution in page["executions"]:
            arn = execution["executionArn"]
            request = parsed(stepfunctions.describe_execution(executionArn=arn).get("input"))
            if isinstance(request, dict):
                request = request.get("detail", request)
                yield PendingStop(arn, alias, execution["startDate"], request if isinstance(request, dict) else {})


def cancel(stepfunctions: "SFNClient", stop: PendingStop, why: str) -> bool:
    """Stop an execution that is to stop an image builder.

    Args:
        stepfunctions: a client.
        stop: the execution.
        why: who does it, and what for: becomes the Cause.

    Returns:
        False where it had ended by itself before.
    """
    try:
        stepfunctions.stop_execution(executionArn=stop.execution, error=CANCELLED, cause=why)
    except stepfunctions.exceptions.ClientError as refusal:
        if refusal.response["Error"]["Code"] != "ValidationException":
            raise
    return stepfunctions.describe_execution(executionArn=stop.execution)["status"] == "ABORTED"


def extend(stepfunctions: "SFNClient", stops: list[PendingStop], minutes: int, who: str) -> str:
    """Schedule one auto-stop in the place of those of an image builder. There is always one.

    Args:
        stepfunctions: a client.
        stops: all of one image builder.
        minutes: from now, or from RUNNING where it is not yet RUNNING.
        who: the ARN of the one who does it.

    Returns:
        The ARN of the new execution.
    """
    request = {**stops[-1].request, "StopAfterMinutes": minutes}
    new = stepfunctions.start_execution(
        stateMachineArn=stops[-1].alias, name=f"extended-{uuid4()}", input=json.dumps(request)
    )["executionArn"]
    for stop in stops:
        cancel(stepfunctions, stop, f"Replaced by {new}, by {who} with `make extend-auto-stop`.")
    return new


def main() -> int:
    """Returns: the exit status: 0, 1 where no stop of NAME is pending, 2 for a wrong option or no account."""
    parser = argparse.ArgumentParser(prog="make auto-stops", description=__doc__)
    parser.add_argument("action", choices=("list", "extend", "cancel"))
    parser.add_argument("--name", help="NAME: of the image builder")
    parser.add_argument("--minutes", default="", help="MINUTES: from now, after which it is to be stopped")
    options = parser.parse_args()
    try:
        if options.name is not None or options.action != "list":
            option("NAME", "Name", options.name or "")
        after = option("MINUTES", "StopAfterMinutes", options.minutes) if options.action == "extend" else 0
        with said_plainly():
            return _run(options.action, options.name, after, client("cloudformation"), client("stepfunctions"))
    except (AccountError, ValueError) as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2


def _run(
    action: str, name: str | None, after: int, cloudformation: "CloudFormationClient", stepfunctions: "SFNClient"
) -> int:
    stops = [stop for stop in pending(cloudformation, stepfunctions) if name in (None, stop.name)]
    if not stops:
        print(f"No auto-stop of {name or 'any image builder'} is pending.")
        return 0 if action == "list" else 1
    if action == "list":
        print(*sorted(map(str, stops)), sep="\n")
        return 0
    who = client("sts").get_caller_identity()["Arn"]
    if action == "extend":
        new = extend(stepfunctions, stops, after, who)
        print(f"{name} is stopped {after} minutes from now (or from RUNNING, where it is not yet), by {new}")
        return 0
    cancelled = [cancel(stepfunctions, stop, f"By {who} with `make cancel-auto-stop`.") for stop in stops]
    if any(cancelled):
        print(f"The auto-stop of {name} is cancelled. Stop it when it is no longer needed: it is billed while it runs.")
        return 0
    print(f"The auto-stop of {name} has ended by itself before it could be cancelled.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
