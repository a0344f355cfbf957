"""What `make smoke` finds wrong with subscriptions and functions."""

from typing import Any

import pytest

from cli.account import connect
from cli.deployment import Deployment
from cli.smoke import functions, subscriptions
from infra.config.settings import Settings
from tests.unit.cli.conftest import Aws

MAIL, QUEUE = ("email", "ops@example.com"), ("sqs", "arn:aws:sqs:us-east-1:123456789012:ops")
CONFIRMED = "arn:aws:sns:us-east-1:123456789012:topic:1"
FUNCTION = {"Runtime": "python3.14", "Architectures": ["arm64"]}


def stack(*subscribers: tuple[str, str]) -> Deployment:
    settings = {
        "stackName": "S",
        "subscribers": [dict(zip(("protocol", "endpoint"), each, strict=True)) for each in subscribers],
    }
    resources = {"AWS::Lambda::Function": {"Logical": "f"}}
    return Deployment(connect(), Settings.load(settings), "", {"OperatorTopicArn": "arn:topic"}, resources)


@pytest.mark.parametrize(
    ("configured", "found", "words"),
    [
        ([MAIL], {MAIL: CONFIRMED}, []),
        ([], {QUEUE: CONFIRMED}, []),
        ([MAIL], {MAIL: "PendingConfirmation", QUEUE: CONFIRMED}, ["ops@example.com (email) has not confirmed"]),
        ([MAIL], {QUEUE: CONFIRMED}, ["ops@example.com (email) is configured but not subscribed"]),
        ([], {}, ["nobody would be notified"]),
        ([MAIL], {MAIL: "Deleted"}, ["has not confirmed", "nobody would be notified"]),
    ],
)
def test_who_would_not_be_notified_is_named(configured: Any, found: Any, words: list[str], aws: Aws) -> None:
    subscribed = [
        {"Protocol": protocol, "Endpoint": endpoint, "SubscriptionArn": arn}
        for (protocol, endpoint), arn in found.items()
    ]
    aws.answers["ListSubscriptionsByTopic"] = {"Subscriptions": subscribed}
    said = list(subscriptions(stack(*configured)))
    assert len(said) == len(words)
    assert all(word in sentence for word, sentence in zip(words, said, strict=True))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, []),
        (
            {"Runtime": "python3.9"},
            ["The function f runs on python3.9 arm64, not on python3.14 arm64: deploy it again."],
        ),
        ({"Architectures": ["x"]}, ["The function f runs on python3.14 x, not on python3.14 arm64: deploy it again."]),
    ],
)
def test_a_function_that_is_not_as_deployed_is_named(aws: Aws, changed: dict[str, Any], said: list[str]) -> None:
    aws.answers["GetTemplate"] = {"TemplateBody": {"Resources": {"Logical": {"Properties": FUNCTION}}}}
    aws.answers["GetFunctionConfiguration"] = {**FUNCTION, **changed}
    assert list(functions(stack())) == said
