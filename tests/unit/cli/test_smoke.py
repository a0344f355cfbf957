"""What `make smoke` finds wrong with subscriptions and functions."""

from typing import Any

import pytest

from cli.account import connect
from cli.deployment import Deployment
from cli.smoke import Subscriber, functions, subscriptions
from infra.config.settings import Settings
from tests.unit.cli.conftest import Aws

MAIL, QUEUE = ("email", "ops@example.com"), ("sqs", "arn:aws:sqs:us-east-1:123456789012:ops")
CONFIRMED = "arn:aws:sns:us-east-1:123456789012:topic:1"


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
def test_who_would_not_be_notified_is_named(
    configured: list[Subscriber], found: dict[Subscriber, str], words: list[str]
) -> None:
    said = list(subscriptions(configured, found))
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
        (
            {"Architectures": ["x86_64"]},
            ["The function f runs on python3.14 x86_64, not on python3.14 arm64: deploy it again."],
        ),
    ],
)
def test_a_function_that_is_not_as_deployed_is_named(aws: Aws, changed: dict[str, Any], said: list[str]) -> None:
    deployed = {"Runtime": "python3.14", "Architectures": ["arm64"]}
    template = {"TemplateBody": {"Resources": {"Logical": {"Properties": deployed}}}}
    aws.answers = {"GetTemplate": template, "GetFunctionConfiguration": {**deployed, **changed}}
    resources = {"AWS::Lambda::Function": {"Logical": "f"}}
    assert list(functions(Deployment(connect(), Settings.load(), "", {}, resources))) == said
