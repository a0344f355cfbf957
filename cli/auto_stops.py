"""`make auto-stops` and its like: list, extend and cancel the stops of image builders that are pending."""

import argparse
import json
import sys
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cli.account import option, printable, run_command
from cli.deployment import Deployment, deployed, machine_of
from cli.history import minutes as in_minutes
from lambdas.image_builder.execution_result import AUTO_STOP_CANCELLED, json_object


class PendingStop(NamedTuple):
    """An execution of the stop workflow that goes on: its ARN, when it was started, and its request."""

    execution: str
    started: datetime
    request: dict[str, Any]

    def __str__(self) -> str:
        after = self.request.get("StopAfterMinutes", 0)
        when = f"{after} minutes after it is RUNNING" if after else "as soon as it is RUNNING"
        age = in_minutes((datetime.now(UTC) - self.started).total_seconds())
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


def main(action: str, name: str | None, minutes: str) -> int:
    """List, extend or cancel. Returns: the exit status: 1 where there is nothing to extend or cancel."""
    if name is not None or action != "list":
        option("NAME", "Name", name or "")
    after = option("MINUTES", "StopAfterMinutes", minutes) if action == "extend" else 0
    stack = deployed()
    stops = [stop for stop in pending(stack) if name in (None, stop.request.get("Name"))]
    if not stops:
        print(f"No auto-stop of {name or 'any image builder'} is pending.")
        return 0 if action == "list" else 1
    if action == "list":
        print(*sorted(map(str, stops)), sep="\n")
        return 0
    why = f"By {stack.client('sts').get_caller_identity()['Arn']} with `make {action}-auto-stop`."
    if action == "extend":
        # Before the others are cancelled: at no time has the image builder none.
        new = stack.stepfunctions.start_execution(
            stateMachineArn=stack.output("StopAliasArn"),
            input=json.dumps({**stops[-1].request, "StopAfterMinutes": after}),
        )["executionArn"]
        why = f"Replaced by {new}. {why}"
        print(f"{name} is stopped {after} minutes from now (or from RUNNING, where it is not yet), by {new}")
    for stop in stops:
        stack.stop(stop.execution, AUTO_STOP_CANCELLED, why)
    if action == "cancel":
        print(f"The auto-stop of {name} is cancelled. Stop it when it is no longer needed: it is billed while it runs.")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make auto-stops", description=__doc__)
    parser.add_argument("action", choices=("list", "extend", "cancel"))
    parser.add_argument("--name", help="NAME: of the image builder")
    parser.add_argument("--minutes", default="", help="MINUTES: from now, after which it is to be stopped")
    sys.exit(run_command(main, **vars(parser.parse_args())))
