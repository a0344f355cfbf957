"""`make destroy`: ends what runs, then removes the stack.

A state machine is gone only when all its executions have ended, and a nested one can wait for hours: so what runs is
stopped first, fleets before starts before auto-stops, or waited for. The operators get one summary, no mail for each.
"""

import shutil
import subprocess  # nosec B404 # runs the CDK
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from cli.account import AccountError
from cli.deployment import OUTPUTS, Deployment, existing, run
from cli.pause import pause, set_notifications

POLL_SECONDS = 5
"""ListExecutions may be called twice a second. Source: AWS Step Functions developer guide, Service quotas."""

SETTLE_SECONDS = 10
"""A rule that was disabled may match a little longer. Source: Amazon EventBridge API reference, DisableRule."""

_NOUNS = {"fleet": "fleet", "start": "start", "stop": "stop or auto-stop"}
_AT_REST = {"STOPPED", "STOPPING", "FAILED", "DELETING"}


def main() -> int:
    """Returns: the exit status: that of the CDK, or 1 with a sentence."""
    return run(destroy)


def destroy() -> int:
    """List what runs, ask, end it, and remove the stack."""
    stack = existing()
    if not (cdk := shutil.which("cdk")):
        raise AccountError("The CDK CLI is not on the search path: run `make destroy`, which installs it.")
    running = list(_running(stack))
    for name, execution in running:
        print(f"{_NOUNS[name]} {execution['name']} runs since {execution['startDate']:%Y-%m-%d %H:%M} UTC")
    stop = _ask(stack, len(running)) == "stop"
    print(f"Disabled: {', '.join(pause(stack)) or 'no schedule or trigger'}.")
    status = 1
    try:
        if stop:
            set_notifications(stack, enabled=False)
            time.sleep(SETTLE_SECONDS)
        summary = _summary(stack, _end(stack, stop=stop), "Stopped" if stop else "Waited for")
        print(summary)
        if stop:
            subject = f"{stack.stack_name} is being removed"[:99]
            topic = stack.output("OperatorTopicArn")
            stack.client("sns").publish(TopicArn=topic, Subject=subject, Message=summary[:200_000])
        command = [cdk, "destroy", stack.stack_name, "--force", "--no-notices"]
        status = subprocess.run(command, check=False).returncode  # nosec B603 # the stack of the settings
    finally:
        if stop and status:
            set_notifications(stack, enabled=True)
    return status


def _running(stack: Deployment) -> Iterator[tuple[str, Any]]:
    """What runs, as ListExecutions shows it, with the name of its workflow: fleets, starts, stops."""
    # After a creation or a removal that failed, not all of them are there.
    there = [machine.id for machine in stack.of_type("AWS::StepFunctions::StateMachine")]
    for name, (_, output) in OUTPUTS.items():
        if (arn := stack.outputs.get(output, "")) in there:
            yield from ((name, execution) for execution in stack.running(arn))


def _ask(stack: Deployment, running: int) -> str:
    """Returns: "stop", "wait" or "yes". Raises: AccountError: the answer is none of those that fit."""
    answers = {"stop": " to stop them", "wait": " to wait until they have ended"} if running else {"yes": ""}
    print(
        f"Remove {stack.stack_name} from {stack.session.region_name}, where {running} executions run? Type "
        f"{' or '.join(answer + then for answer, then in answers.items())}; anything else changes nothing: ",
        end="",
        flush=True,
    )
    answer = sys.stdin.readline().strip()
    if answer not in answers:
        raise AccountError("Nothing was changed.")
    return answer


def _end(stack: Deployment, *, stop: bool) -> dict[str, tuple[str, Any]]:
    """Stop all executions, or wait for them. What one starts before it ends, the next round sees.

    Returns: those that were seen, by ARN: the name of the workflow and the image builder that the request names.
    """
    seen: dict[str, tuple[str, Any]] = {}
    left = 0
    while running := list(_running(stack)):
        for name, execution in running:
            arn = execution["executionArn"]
            if arn not in seen:
                seen[arn] = (name, stack.request_of(arn).get("Name"))
            if stop:
                stack.stop(arn, "DeploymentRemoved", "make destroy removes the deployment.")
        if len(running) != left:
            left = len(running)
            print(f"{left} executions have not ended yet.", flush=True)
        time.sleep(POLL_SECONDS)
    return seen


def _summary(stack: Deployment, ended: Mapping[str, tuple[str, Any]], how: str) -> str:
    """Lines: what was ended, and which image builders run on."""
    lines = [f"make destroy removes {stack.stack_name}. {how}: {'' if ended else 'nothing.'}".rstrip()]
    lines += [f"  {' '.join(filter(None, (_NOUNS[name], builder, arn)))}" for arn, (name, builder) in ended.items()]
    stopped = {builder for name, builder in ended.values() if name == "stop" and how == "Stopped"}
    pages = stack.client("appstream").get_paginator("describe_image_builders").paginate()
    builders = [each for page in pages for each in page["ImageBuilders"] if each["State"] not in _AT_REST]
    lines.append("Image builders that run, and are billed:" if builders else "No image builder runs.")
    for each in builders:
        lines.append(
            f"  {each['Name']} is {each['State']}{', and its auto-stop was stopped' * (each['Name'] in stopped)}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
