"""A start that a schedule or an event cannot deliver, on its way to the operators."""

from typing import Any

import pytest

from tests.infra.conftest import Assembly, synthesize

pytestmark = pytest.mark.xdist_group("infra")

SCHEDULE = {"name": "night", "expression": "rate(1 day)", "request": {"Name": "golden-image"}}


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesize(tmp_path_factory.mktemp("scheduled") / "cdk.out", schedules=[SCHEDULE])


def queue(assembly: Assembly, name: str) -> str:
    (found,) = [each for each in assembly.resources("AWS::SQS::Queue") if each.startswith(name)]
    return found


def function_that_tells(assembly: Assembly) -> tuple[str, dict[str, Any]]:
    (found,) = [
        (name, function["Properties"])
        for name, function in assembly.resources("AWS::Lambda::Function").items()
        if function["Properties"]["Handler"] == "lambdas.notify_operators.handler"
    ]
    return found


def test_each_is_told_by_itself(scheduled: Assembly) -> None:
    (mapping,) = scheduled.resources("AWS::Lambda::EventSourceMapping").values()
    name, _ = function_that_tells(scheduled)
    assert mapping["Properties"] == {
        "BatchSize": 1,
        "EventSourceArn": {"Fn::GetAtt": [queue(scheduled, "TriggersUndelivered"), "Arn"]},
        "FunctionName": {"Ref": name},
    }


def test_what_cannot_be_told_is_kept_where_an_alarm_watches(scheduled: Assembly) -> None:
    undelivered = scheduled.resources("AWS::SQS::Queue")[queue(scheduled, "TriggersUndelivered")]["Properties"]
    assert undelivered["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [queue(scheduled, "NotificationsDeadLetters"), "Arn"]},
        "maxReceiveCount": 3,
    }
    _, function = function_that_tells(scheduled)
    # Source: AWS Lambda developer guide, Creating and configuring an Amazon SQS event source mapping.
    assert undelivered["VisibilityTimeout"] >= 6 * function["Timeout"]


def test_the_function_may_take_from_that_queue_and_from_no_other(scheduled: Assembly) -> None:
    taking = [
        (statement["Action"], statement["Resource"])
        for policy in scheduled.resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "sqs:ReceiveMessage" in statement["Action"]
    ]
    resource = {"Fn::GetAtt": [queue(scheduled, "TriggersUndelivered"), "Arn"]}
    # Source: AWS Lambda developer guide, the same page, execution role permissions.
    assert taking == [(["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], resource)]


def test_nothing_is_asked_of_the_queue_where_nothing_can_get_into_it(assembly: Assembly) -> None:
    assert assembly.resources("AWS::Lambda::EventSourceMapping") == {}
