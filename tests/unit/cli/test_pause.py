"""`make pause` and `make resume`, on moto's EventBridge and Scheduler."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.deployment import Deployment
from cli.pause import pause, resume
from infra.config.settings import Settings

TARGET = {"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:Start:live", "RoleArn": "arn:aws:iam::1:role/r"}
EVERY_DAY: dict[str, Any] = {
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "GroupName": "group",
    "Target": TARGET,
}
SCHEDULES: list[dict[str, Any]] = [
    {"Name": "night", "State": "ENABLED", "Description": "Every night"},
    {"Name": "morning", "State": "ENABLED", "ScheduleExpressionTimezone": "Europe/Berlin"},
    {"Name": "off", "State": "DISABLED"},
]


@pytest.fixture
def stack() -> Iterator[Deployment]:
    with mock_aws():
        session = boto3.Session(region_name="us-east-1")
        scheduler, events = session.client("scheduler"), session.client("events")
        scheduler.create_schedule_group(Name="group")
        for schedule in SCHEDULES:
            scheduler.create_schedule(**EVERY_DAY, **schedule)
        events.create_event_bus(Name="images")
        for name, bus, state in [("asked", "images", "ENABLED"), ("idle", "default", "DISABLED")]:
            events.put_rule(Name=name, EventBusName=bus, State=state, EventPattern=json.dumps({"source": ["x"]}))
        events.put_rule(Name="changes", EventPattern=json.dumps({"source": ["aws.states"]}))
        ids = {"TriggersTriggerasked": "images|asked", "TriggersTriggeridle": "idle", "StatusChangesRule": "changes"}
        resources = {"AWS::Scheduler::ScheduleGroup": {"TriggersSchedules": "group"}, "AWS::Events::Rule": ids}
        yield Deployment(session, Settings.load(), "UPDATE_COMPLETE", {}, resources)


def schedules(stack: Deployment) -> dict[str, dict[str, Any]]:
    get, varies = stack.client("scheduler").get_schedule, ("LastModificationDate", "ResponseMetadata")
    found = [get(GroupName="group", Name=schedule["Name"]) for schedule in SCHEDULES]
    return {each["Name"]: {key: value for key, value in each.items() if key not in varies} for each in found}


def rules(stack: Deployment) -> dict[str, str]:
    pages = [stack.client("events").list_rules(EventBusName=bus)["Rules"] for bus in ("default", "images")]
    return {rule["Name"]: rule["State"] for rules in pages for rule in rules}


def test_what_was_enabled_is_disabled_and_then_as_before_and_once_is_enough(stack: Deployment) -> None:
    before, rules_before = schedules(stack), rules(stack)
    assert resume(stack) == []
    paused = ["rule asked", "schedule morning", "schedule night"]
    assert sorted(pause(stack)) == paused
    assert pause(stack) == []
    assert {schedule["State"] for schedule in schedules(stack).values()} == {"DISABLED"}
    assert rules(stack) == {"asked": "DISABLED", "idle": "DISABLED", "changes": "ENABLED"}
    assert sorted(resume(stack)) == paused
    assert (schedules(stack), rules(stack)) == (before, rules_before)


def test_a_start_date_that_has_passed_is_left_out(stack: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """EventBridge Scheduler refuses one of more than five minutes ago."""
    scheduler = stack.client("scheduler")
    tomorrow, next_year = (datetime.now(UTC).replace(microsecond=0) + timedelta(days=days) for days in (1, 365))
    scheduler.create_schedule(**EVERY_DAY, Name="later", State="ENABLED", StartDate=tomorrow, EndDate=next_year)
    pause(stack)
    assert scheduler.get_schedule(GroupName="group", Name="later")["StartDate"] == tomorrow
    in_two_days = SimpleNamespace(max=datetime.max, now=lambda zone: datetime.now(zone) + timedelta(days=2))
    monkeypatch.setattr("cli.pause.datetime", in_two_days)
    resume(stack)
    resumed = scheduler.get_schedule(GroupName="group", Name="later")
    assert "StartDate" not in resumed
    assert (resumed["State"], resumed["EndDate"]) == ("ENABLED", next_year)
