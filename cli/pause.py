"""`make pause` and `make resume`: schedules and triggers of the deployment, disabled and enabled again.

What a person had disabled before stays disabled: what `make pause` disables, it marks. Executions that run go on.
"""

import argparse
import sys
from datetime import UTC, datetime
from typing import Any

from cli.account import run_command
from cli.deployment import Deployment, deployed

_MARK = "Paused by make pause."
_TAG = "PausedBy"


def main(action: str) -> int:
    """Pause or resume, and print the names. Returns: the exit status."""
    stack = deployed()
    names = pause(stack) if action == "pause" else resume(stack)
    print(f"{'Paused' if action == 'pause' else 'Enabled again'}: {', '.join(names) or 'nothing'}.")
    return 0


def pause(stack: Deployment) -> list[str]:
    """Disable every enabled schedule and trigger, and mark it. Returns: their names."""
    paused = []
    for schedule in _schedules(stack):
        if schedule["State"] == "ENABLED":
            _update(stack, schedule, "DISABLED", f"{_MARK} {schedule.get('Description', '')}".strip())
            paused.append(f"schedule {schedule['Name']}")
    events = stack.client("events")
    for rule in _rules(stack, "Triggers"):
        described = events.describe_rule(**rule)
        if described["State"] == "ENABLED":
            events.tag_resource(ResourceARN=described["Arn"], Tags=[{"Key": _TAG, "Value": "make pause"}])
            events.disable_rule(**rule)
            paused.append(f"rule {rule['Name']}")
    return paused


def resume(stack: Deployment) -> list[str]:
    """Enable what `pause` disabled. Returns: the names."""
    resumed = []
    for schedule in _schedules(stack):
        if schedule.get("Description", "").startswith(_MARK):
            _update(stack, schedule, "ENABLED", schedule["Description"].removeprefix(_MARK).strip())
            resumed.append(f"schedule {schedule['Name']}")
    events = stack.client("events")
    for rule in _rules(stack, "Triggers"):
        arn = events.describe_rule(**rule)["Arn"]
        if any(tag["Key"] == _TAG for tag in events.list_tags_for_resource(ResourceARN=arn)["Tags"]):
            events.enable_rule(**rule)
            events.untag_resource(ResourceARN=arn, TagKeys=[_TAG])
            resumed.append(f"rule {rule['Name']}")
    return resumed


def set_notifications(stack: Deployment, *, enabled: bool) -> None:
    """Enable or disable the rule that notifies the operators of every execution that ends without success."""
    events = stack.client("events")
    for rule in _rules(stack, "StatusChanges"):
        (events.enable_rule if enabled else events.disable_rule)(**rule)


def _schedules(stack: Deployment) -> list[dict[str, Any]]:
    scheduler = stack.client("scheduler")
    return [
        scheduler.get_schedule(GroupName=group, Name=summary["Name"])
        for group in stack.resources.get("AWS::Scheduler::ScheduleGroup", {}).values()
        for page in scheduler.get_paginator("list_schedules").paginate(GroupName=group)
        for summary in page["Schedules"]
    ]


def _update(stack: Deployment, schedule: dict[str, Any], state: str, description: str) -> None:
    # UpdateSchedule replaces the schedule: what is left out takes its default. Source: its API reference.
    not_taken = ("Arn", "CreationDate", "LastModificationDate", "ResponseMetadata", "Description")
    kept = {key: value for key, value in schedule.items() if key not in not_taken}
    # A start that is past is refused, and means nothing any more.
    if kept.get("StartDate", datetime.max.replace(tzinfo=UTC)) < datetime.now(UTC):
        del kept["StartDate"]
    # An empty description is refused.
    if description:
        kept["Description"] = description
    stack.client("scheduler").update_schedule(**{**kept, "State": state})


def _rules(stack: Deployment, place: str) -> list[dict[str, str]]:
    """The rules of a construct of the stack, as EventBridge's parameters name one."""
    found = []
    for logical_id, rule in stack.resources.get("AWS::Events::Rule", {}).items():
        if logical_id.startswith(place):
            # BUS|RULE where it is not the default bus.
            # Source: aws-cloudformation/cloudformation-coverage-roadmap#1131.
            bus, _, name = rule.rpartition("|")
            found.append({"Name": name, "EventBusName": bus or "default"})
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("pause", "resume"))
    sys.exit(run_command(main, **vars(parser.parse_args())))
