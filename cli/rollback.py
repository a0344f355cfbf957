"""`make rollback`: moves the aliases of the three workflows together.

Without TO, onto the versions that were deployed last; with TO=previous, onto those from before the last deployment.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime

from cli.account import AccountError, run_command
from cli.deployment import Deployment, Workflow, deployed, machine_of, number


def rollback(to: str) -> int:
    """Move each alias. Start, stop and fleet meet through their aliases, so all three move, or none does."""
    stack = deployed()
    targets = {workflow.name: workflow.deployed for workflow in stack.workflows}
    if to == "previous":
        versions = {workflow.name: _versions(stack, workflow) for workflow in stack.workflows}
        targets = previous(versions, targets, _deployments(stack))
    for workflow in stack.workflows:
        before, target = stack.versions_of(workflow), targets[workflow.name]
        if before != [target]:
            stack.stepfunctions.update_state_machine_alias(
                stateMachineAliasArn=workflow.alias,
                routingConfiguration=[{"stateMachineVersionArn": target, "weight": 100}],
            )
        print(f"{workflow.name}: version {number(target)}{' as before' if before == [target] else ''}")
    return 0


def previous(
    versions: Mapping[str, Mapping[str, datetime]], deployed: Mapping[str, str], began: Sequence[datetime]
) -> dict[str, str]:
    """By workflow, the version from before the deployment that published the newest of the deployed ones.

    Args:
        versions: of each workflow, with the time of publication.
        deployed: the version of each that was deployed last.
        began: when deployments began.
    """
    newest = max(versions[name][version] for name, version in deployed.items())
    last = max((time for time in began if time <= newest), default=None)
    if last is None:
        raise AccountError(
            "CloudFormation no longer shows when the last deployment began (it keeps events for 90 days): deploy the "
            "earlier commit instead."
        )
    earlier = {name: [(date, arn) for arn, date in found.items() if date < last] for name, found in versions.items()}
    if without := [name for name, found in earlier.items() if not found]:
        raise AccountError(
            f"There is no version from before the last deployment ({last:%Y-%m-%d %H:%M} UTC) of: "
            f"{', '.join(without)}. Nothing was moved."
        )
    return {name: max(found)[1] for name, found in earlier.items()}


def _versions(stack: Deployment, workflow: Workflow) -> dict[str, datetime]:
    """The versions of a workflow, with the time at which each was published. A state machine has at most 1,000."""
    machine = machine_of(workflow.alias)
    page = stack.stepfunctions.list_state_machine_versions(stateMachineArn=machine, maxResults=1000)
    return {each["stateMachineVersionArn"]: each["creationDate"] for each in page["stateMachineVersions"]}


def _deployments(stack: Deployment) -> list[datetime]:
    """When each creation and update of the stack began, for as long as CloudFormation keeps events."""
    events = stack.client("cloudformation").get_paginator("describe_stack_events")
    return [
        event["Timestamp"]
        for page in events.paginate(StackName=stack.settings.stack_name)
        for event in page["StackEvents"]
        if event.get("PhysicalResourceId") == event["StackId"]
        and event["ResourceStatus"] in ("CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS")
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make rollback", description=__doc__)
    parser.add_argument("--to", choices=["deployed", "previous"], default="deployed")
    sys.exit(run_command(rollback, **vars(parser.parse_args())))
