"""`make pause` and `make resume`, on moto's EventBridge and Scheduler."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cli.deployment import Deployment, Resource
from cli.pause import pause, resume, set_notifications

TARGET = {"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:Start:live", "RoleArn": "arn:aws:iam::1:role/r"}
EVERY_DAY: dict[str, Any] = {
    "ScheduleExpression": "rate(1 day)",
    "FlexibleTimeWindow": {"Mode": "OFF"},
    "GroupName": "group",
    "Target": TARGET,
}
NEXT_YEAR = datetime.now(UTC).replace(microsecond=0) + timedelta(days=365)
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
        resources = [
            Resource("TriggersSchedules", "AWS::Scheduler::ScheduleGroup", "group"),
            Resource("TriggersTriggerasked", "AWS::Events::Rule", "images|asked"),
            Resource("TriggersTriggeridle", "AWS::Events::Rule", "idle"),
            Resource("StatusChangesRule", "AWS::Events::Rule", "changes"),
        ]
        settings: Any = None
        yield Deployment(session, settings, "UPDATE_COMPLETE", {}, resources)


def schedules(stack: Deployment) -> dict[str, dict[str, Any]]:
    scheduler = stack.client("scheduler")
    names = [schedule["Name"] for schedule in SCHEDULES]
    varies = ("LastModificationDate", "ResponseMetadata")
    found = {name: scheduler.get_schedule(GroupName="group", Name=name) for name in names}
    return {name: {key: value for key, value in each.items() if key not in varies} for name, each in found.items()}


def rules(stack: Deployment) -> dict[str, str]:
    pages = [stack.client("events").list_rules(EventBusName=bus)["Rules"] for bus in ("default", "images")]
    return {rule["Name"]: rule["State"] for rules in pages for rule in rules}


def test_what_was_enabled_is_disabled_and_then_as_before(stack: Deployment) -> None:
    before, rules_before = schedules(stack), rules(stack)
    paused = ["rule asked", "schedule morning", "schedule night"]
    assert sorted(pause(stack)) == paused
    assert {schedule["State"] for schedule in schedules(stack).values()} == {"DISABLED"}
    assert rules(stack) == {"asked": "DISABLED", "idle": "DISABLED", "changes": "ENABLED"}
    assert sorted(resume(stack)) == paused
    assert (schedules(stack), rules(stack)) == (before, rules_before)


def test_a_second_pause_or_resume_changes_nothing(stack: Deployment) -> None:
    assert resume(stack) == []
    pause(stack)
    assert pause(stack) == []
    assert len(resume(stack)) == 3
    assert resume(stack) == []


def test_notifications_are_switched_off_and_on_with_their_rule_alone(stack: Deployment) -> None:
    set_notifications(stack, enabled=False)
    assert rules(stack) == {"asked": "ENABLED", "idle": "DISABLED", "changes": "DISABLED"}
    set_notifications(stack, enabled=True)
    assert rules(stack)["changes"] == "ENABLED"


def test_a_start_date_that_has_passed_is_left_out(stack: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """EventBridge Scheduler refuses one of more than five minutes ago."""

    class InTwoDays(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "InTwoDays":
            return cls.fromtimestamp(time.time() + 172_800, tz)

    scheduler = stack.client("scheduler")
    tomorrow = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    scheduler.create_schedule(**EVERY_DAY, Name="later", State="ENABLED", StartDate=tomorrow, EndDate=NEXT_YEAR)
    pause(stack)
    assert scheduler.get_schedule(GroupName="group", Name="later")["StartDate"] == tomorrow
    monkeypatch.setattr("cli.pause.datetime", InTwoDays)
    resume(stack)
    resumed = scheduler.get_schedule(GroupName="group", Name="later")
    assert "StartDate" not in resumed
    assert (resumed["State"], resumed["EndDate"]) == ("ENABLED", NEXT_YEAR)
