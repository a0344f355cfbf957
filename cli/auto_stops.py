"""`make auto-stops` and its like: list, extend and cancel the stops of image builders that are pending."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from cli.deployment import Deployment, deployed, machine_of, run
from cli.history import minutes
from cli.options import option
from cli.watch import printable
from lambdas.image_builder.execution_result import AUTO_STOP_CANCELLED, json_object


@dataclass(frozen=True, slots=True)
class PendingStop:
    """An execution of the stop workflow that goes on: its ARN, when it was started, and its request."""

    execution: str
    started: datetime
    request: dict[str, Any]

    def __str__(self) -> str:
        after = self.request.get("StopAfterMinutes", 0)
        when = f"{after} minutes after it is RUNNING" if after else "as soon as it is RUNNING"
        age = minutes((datetime.now(UTC) - self.started).total_seconds())
        line = f"{self.request.get('Name')}  stops {when}, scheduled {age} ago  {self.execution}"
        return printable(line).replace("\n", "\\n")


def pending(stack: Deployment) -> list[PendingStop]:
    """The pending stops of a deployment: auto-stops, and stops that were requested."""
    stops = []
    for execution in stack.running(machine_of(stack.output("StopAliasArn"))):
        arn = execution["executionArn"]
        given = json_object(stack.stepfunctions.describe_execution(executionArn=arn)["input"])
        stops.append(PendingStop(arn, execution["startDate"], json_object(given.get("detail", given))))
    return stops


def extend(stack: Deployment, stops: Sequence[PendingStop], after: int, who: str) -> str:
    """Schedule one auto-stop in the place of those of an image builder, which at no time has none.

    It counts `after` minutes from now, or from RUNNING. Returns: its ARN.
    """
    request = json.dumps({**stops[-1].request, "StopAfterMinutes": after})
    new = stack.stepfunctions.start_execution(
        stateMachineArn=stack.output("StopAliasArn"), name=f"extended-{uuid4()}", input=request
    )["executionArn"]
    cancel(stack, stops, f"Replaced by {new}, by {who} with `make extend-auto-stop`.")
    return new


def cancel(stack: Deployment, stops: Sequence[PendingStop], why: str) -> bool:
    """Stop these executions. Returns: whether any was stopped: others had just ended by themselves."""
    for stop in stops:
        stack.stop(stop.execution, AUTO_STOP_CANCELLED, why)
    described = [stack.stepfunctions.describe_execution(executionArn=stop.execution) for stop in stops]
    return any(execution["status"] == "ABORTED" for execution in described)


def main(arguments: list[str] | None = None) -> int:
    """Returns: the exit status: 0; 1 with a sentence; 2 for a wrong option."""
    parser = argparse.ArgumentParser(prog="make auto-stops", description=__doc__)
    parser.add_argument("action", choices=("list", "extend", "cancel"))
    parser.add_argument("--name", help="NAME: of the image builder")
    parser.add_argument("--minutes", default="", help="MINUTES: from now, after which it is to be stopped")
    options = parser.parse_args(arguments)
    try:
        if options.name is not None or options.action != "list":
            option("NAME", "Name", options.name or "")
        after = option("MINUTES", "StopAfterMinutes", options.minutes) if options.action == "extend" else 0
    except ValueError as problem:
        print(printable(str(problem)), file=sys.stderr)
        return 2
    return run(_run, options.action, options.name, after)


def _run(action: str, name: str | None, after: int) -> int:
    stack = deployed()
    stops = [stop for stop in pending(stack) if name in (None, stop.request.get("Name"))]
    if not stops:
        print(f"No auto-stop of {name or 'any image builder'} is pending.")
        return 0 if action == "list" else 1
    if action == "list":
        print(*sorted(map(str, stops)), sep="\n")
        return 0
    who = stack.client("sts").get_caller_identity()["Arn"]
    if action == "extend":
        new = extend(stack, stops, after, who)
        print(f"{name} is stopped {after} minutes from now (or from RUNNING, where it is not yet), by {new}")
        return 0
    if cancel(stack, stops, f"By {who} with `make cancel-auto-stop`."):
        print(f"The auto-stop of {name} is cancelled. Stop it when it is no longer needed: it is billed while it runs.")
        return 0
    print(f"The auto-stop of {name} has ended by itself before it could be cancelled.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
