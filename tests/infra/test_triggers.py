"""Schedules and triggers in the template, and the dead letters of starts that they cannot deliver."""

import json
from typing import Any

import pytest

from tests.infra.conftest import STRICT, THROUGH_THE_ALIAS, Assembly, listed, refers_to

pytestmark = pytest.mark.xdist_group("template")


def schedules(assembly: Assembly) -> dict[str, dict[str, Any]]:
    return {each["Name"]: each for each in assembly.properties("AWS::Scheduler::Schedule")}


def rules(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """The triggers' rules, by their source."""
    found = assembly.properties("AWS::Events::Rule")
    return {source: each for each in found for source in each["EventPattern"]["source"] if source != "aws.states"}


def alias(assembly: Assembly, arn: Any) -> str:
    name = refers_to(arn)
    assert name in assembly.resources("AWS::StepFunctions::StateMachineAlias")
    return name.partition("Alias")[0]


def test_a_schedule_starts_the_alias_and_keeps_what_it_cannot_deliver(strict: Assembly) -> None:
    night, off = (schedules(strict)[name] for name in ("patch-night", "off"))
    assert night["FlexibleTimeWindow"] == {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    assert (night["State"], off["State"]) == ("ENABLED", "DISABLED")
    # With milliseconds, without which CloudFormation refuses them.
    assert (night["StartDate"], night["EndDate"]) == ("2199-01-01T00:00:00.000Z", "2199-12-31T22:00:00.000Z")
    assert not {"StartDate", "EndDate"} & set(off)
    assert [alias(strict, each["Target"]["Arn"]) for each in (night, off)] == ["StartImageBuilder", "StopImageBuilder"]
    assert night["Target"]["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 185}
    assert refers_to(night["Target"]["DeadLetterConfig"]["Arn"]).startswith("TriggersDeadLetters")


def test_a_scheduled_request_is_inside_an_event_that_names_the_schedule_and_its_time(strict: Assembly) -> None:
    event = json.loads(schedules(strict)["patch-night"]["Target"]["Input"])
    assert event == {
        "detail-type": "Scheduled start",
        "source": "start-image-builder.schedule",
        "resources": ["<aws.scheduler.schedule-arn>"],
        "time": "<aws.scheduler.scheduled-time>",
        "detail": STRICT["schedules"][0]["request"],
    }


def test_a_trigger_hands_its_events_to_the_alias(strict: Assembly) -> None:
    mine, theirs = (rules(strict)[source] for source in ("my.app", "their.app"))
    assert mine["EventBusName"] == STRICT["triggers"][0]["eventBus"]
    assert theirs["EventBusName"] == "default"
    assert (mine["State"], theirs["State"]) == ("ENABLED", "DISABLED")
    targets = [target for rule in (mine, theirs) for target in rule["Targets"]]
    assert [alias(strict, target["Arn"]) for target in targets] == ["StartImageBuilder", "StartFleet"]
    for target in targets:
        assert "Input" not in target
        assert refers_to(target["DeadLetterConfig"]["Arn"]).startswith("TriggersDeadLetters")


def test_the_roles_may_start_what_they_start_and_nothing_else(strict: Assembly) -> None:
    granted = {
        (policy["Roles"][0]["Ref"].partition("Role")[0], action, str(statement.get("Condition")))
        for policy in strict.properties("AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
        if policy["Roles"][0]["Ref"].startswith("Triggers")
    }
    roles = ("TriggersSchedules", "TriggersTriggerrequests", "TriggersTriggerofothers")
    send = ("kms:Decrypt", "kms:GenerateDataKey", "sqs:SendMessage")
    assert granted == {(role, "states:StartExecution", str(THROUGH_THE_ALIAS)) for role in roles} | {
        ("TriggersSchedules", action, "None") for action in send
    }


def test_a_role_is_assumed_for_its_schedules_or_its_rule_alone(strict: Assembly) -> None:
    names = {rule["Name"]: rule["EventBusName"] for rule in rules(strict).values()}
    assert all(len(name) <= 64 for name in names)
    sources = []
    for key, role in strict.resources("AWS::IAM::Role").items():
        if key.startswith("Triggers"):
            (statement,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
            condition = statement["Condition"]["StringEquals"]
            assert condition["aws:SourceAccount"] == {"Ref": "AWS::AccountId"}
            sources.append(condition["aws:SourceArn"])
    (group,) = strict.resources("AWS::Scheduler::ScheduleGroup")
    assert {"Fn::GetAtt": [group, "Arn"]} in sources
    arns = [source["Fn::Join"][1][-1] for source in sources if "Fn::Join" in source]
    # Source: Amazon EventBridge user guide, Managing access permissions, ARN formats.
    assert sorted(arns) == sorted(
        f":rule/{name}" if bus == "default" else f":rule/images/{name}" for name, bus in names.items()
    )


def test_nothing_starts_by_itself_unless_it_is_configured(assembly: Assembly) -> None:
    for kind in ("AWS::Scheduler::Schedule", "AWS::Scheduler::ScheduleGroup", "AWS::Lambda::EventSourceMapping"):
        assert assembly.resources(kind) == {}
    assert rules(assembly) == {}


def test_each_dead_letter_of_a_start_is_a_message_of_its_own_to_the_newest_function(strict: Assembly) -> None:
    (mapping,) = strict.properties("AWS::Lambda::EventSourceMapping")
    assert mapping["BatchSize"] == 1
    assert refers_to(mapping["EventSourceArn"]).startswith("TriggersDeadLetters")
    assert refers_to(mapping["FunctionName"]) in strict.resources("AWS::Lambda::Function")


def test_a_dead_letter_that_is_not_notified_of_goes_where_an_alarm_watches(strict: Assembly) -> None:
    (queue,) = [each for each in strict.properties("AWS::SQS::Queue") if "RedrivePolicy" in each]
    assert refers_to(queue["RedrivePolicy"]["deadLetterTargetArn"]).startswith("NotificationsDeadLetters")
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5
    (timeout,) = {function["Timeout"] for function in strict.properties("AWS::Lambda::Function")}
    # Source: AWS Lambda developer guide, Creating and configuring an Amazon SQS event source mapping.
    assert queue["VisibilityTimeout"] >= 6 * timeout
    watched = [alarm.get("Dimensions", [{}])[0].get("Value") for alarm in strict.properties("AWS::CloudWatch::Alarm")]
    assert set(strict.resources("AWS::SQS::Queue")) == {refers_to(each) for each in watched if each}


def test_the_function_may_take_from_that_queue_and_from_no_other(strict: Assembly) -> None:
    taking = [each for each in strict.statements() if "sqs:ReceiveMessage" in each["Action"]]
    # Source: AWS Lambda developer guide, the same page, execution role permissions.
    assert [each["Action"] for each in taking] == [
        ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
    ]
    assert refers_to(taking[0]["Resource"]).startswith("TriggersDeadLetters")
