"""`make destroy`: ends what runs, then removes the stack.

A state machine is gone only when all its executions have ended, and a nested one can wait for hours: so what runs is
stopped first, fleets before starts before auto-stops, or waited for. The operators get one summary, no mail for each.
"""

import subprocess  # nosec B404 # runs the CDK
import sys
import time
from collections.abc import Mapping
from typing import Any

from cli.account import AccountError, run_command
from cli.deployment import ALIASES, Deployment, deployed, machine_of
from cli.pause import pause, set_notifications

POLL_SECONDS = 5
"""ListExecutions may be called twice a second. Source: AWS Step Functions developer guide, Service quotas."""

SETTLE_SECONDS = 10
"""A rule that was disabled may match a little longer. Source: Amazon EventBridge API reference, DisableRule."""

_AT_REST = {"STOPPED", "STOPPING", "FAILED", "DELETING"}


def destroy() -> int:
    """List what runs, ask, end it, and remove the stack. Returns: the exit status of the CDK."""
    stack = deployed(broken=True)
    name, region = stack.settings.stack_name, stack.session.region_name
    running = _running(stack)
    for execution, workflow in running.values():
        print(f"{workflow} {execution['name']} runs since {execution['startDate']:%Y-%m-%d %H:%M} UTC")
    answers = "stop to stop them or wait to wait until they have ended" if running else "yes"
    print(f"Remove {name} from {region}, where {len(running)} executions run? Type {answers}; ", end="")
    print("anything else changes nothing: ", end="", flush=True)
    answer = sys.stdin.readline().strip()
    if answer not in (("stop", "wait") if running else ("yes",)):
        raise AccountError("Nothing was changed.")
    print(f"Disabled: {', '.join(pause(stack)) or 'no schedule or trigger'}.")
    stop, status = answer == "stop", 1
    try:
        if stop:
            set_notifications(stack, enabled=False)
            time.sleep(SETTLE_SECONDS)
        summary = "\n".join([f"make destroy removes {name}.", *_end(stack, stop=stop), *_left_running(stack)])
        print(summary)
        if stop:
            topic, subject = stack.output("OperatorTopicArn"), f"{name} is being removed"[:99]
            stack.client("sns").publish(TopicArn=topic, Subject=subject, Message=summary[:200_000])
        command = ["cdk", "destroy", name, "--force", "--no-notices"]
        status = subprocess.run(command, check=False).returncode  # nosec B603 # the stack of the settings
    finally:
        if stop and status:
            set_notifications(stack, enabled=True)
    return status


def _running(stack: Deployment) -> Mapping[str, tuple[Any, str]]:
    """What runs, by ARN, as ListExecutions shows it, with the name of its workflow: fleets, starts, stops."""
    # After a creation or a removal that failed, not all of them are there.
    there = stack.resources.get("AWS::StepFunctions::StateMachine", {}).values()
    return {
        execution["executionArn"]: (execution, workflow)
        for workflow, output in ALIASES.items()
        if (machine := machine_of(stack.outputs.get(output, ""))) and machine in there
        for execution in stack.running(machine)
    }


def _end(stack: Deployment, *, stop: bool) -> list[str]:
    """Stop all executions, or wait for them. Returns: a line for each.

    What one starts before it ends, the next round sees.
    """
    seen: dict[str, str] = {}
    left = 0
    while running := _running(stack):
        for arn, (_, workflow) in running.items():
            seen[arn] = f"{'Stopped' if stop else 'Waited for'} {workflow} {arn}"
            if stop:
                stack.stop(arn, "DeploymentRemoved", "make destroy removes the deployment.")
        if len(running) != left:
            left = len(running)
            print(f"{left} executions have not ended yet.", flush=True)
        time.sleep(POLL_SECONDS)
    return list(seen.values())


def _left_running(stack: Deployment) -> list[str]:
    """Lines: which image builders run on."""
    pages = stack.client("appstream").get_paginator("describe_image_builders").paginate()
    builders = [each for page in pages for each in page["ImageBuilders"] if each["State"] not in _AT_REST]
    return [f"{each['Name']} is {each['State']}, and billed while it runs." for each in builders] or [
        "No image builder runs."
    ]


if __name__ == "__main__":
    sys.exit(run_command(destroy))
