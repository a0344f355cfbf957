from typing import Any

import pytest

from infra.config import Config, ImageBuilders, Subscriber
from infra.rules import InvalidConfiguration


def test_subscribers_are_read() -> None:
    context = {"stackName": "Night", "subscribers": [{"protocol": "email", "endpoint": "ops@example.com"}]}
    assert Config.from_context(context.get) == Config("Night", (Subscriber("email", "ops@example.com"),))


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "stackName: must be a CloudFormation stack name"),
        ({"stackName": ""}, "stackName: must be a CloudFormation stack name"),
        ({"subscribers": "ops@example.com"}, "subscribers: must be a list"),
        ({"subscribers": [{"protocol": "email"}]}, "subscribers[0]: must be"),
        (
            {"subscribers": [{"protocol": "sms", "endpoint": "+1"}]},
            "subscribers[0].protocol: must be one of email, https",
        ),
        (
            {"subscribers": [{"protocol": "email", "endpoint": "ops"}]},
            "subscribers[0].endpoint: must be an e-mail address",
        ),
        (
            {"subscribers": [{"protocol": "https", "endpoint": "http://example.com"}]},
            "subscribers[0].endpoint: must be a URL that begins with https://",
        ),
    ],
)
def test_a_wrong_value_is_refused_with_its_key_and_rule(context: dict[str, Any], message: str) -> None:
    if "subscribers" in context:
        context["stackName"] = "Night"
    with pytest.raises(InvalidConfiguration) as caught:
        Config.from_context(context.get)
    assert str(caught.value).startswith(message)


WRONG = [
    ({"stackName": "1st"}, "stackName: must be a CloudFormation stack name"),
    ({"stackName": "a_b"}, "stackName: must be a CloudFormation stack name"),
    ({"subscribers": [{"protocol": "sqs", "endpoint": "ops"}]}, "subscribers[0].endpoint: must be the ARN of an SQS"),
    ({"chat": "yes"}, "chat: must be true or false, not 'yes'"),
    ({"chat": 1.5}, "chat: must be true or false, not 1.5"),
    ({"chat": []}, "chat: must be true or false, not []"),
    ({"runbookUrl": "http://x"}, "runbookUrl: must be a URL that begins with https://"),
    ({"imageBuilders": ["gold"]}, 'imageBuilders: must be {"names": [...], "tag": {...}}'),
    ({"imageBuilders": {"name": "gold"}}, "imageBuilders: must be"),
    ({"imageBuilders": {"names": "gold"}}, "imageBuilders.names: must be a list"),
    ({"imageBuilders": {"names": ["gold", "a/b"]}}, "imageBuilders.names[1]: must be the name of an image builder"),
    ({"imageBuilders": {"tag": "Start"}}, "imageBuilders.tag: must be"),
    ({"imageBuilders": {"tag": {"key": "aws:x", "value": "1"}}}, "imageBuilders.tag.key: must be a tag key"),
    ({"imageBuilders": {"tag": {"key": "x", "value": 1}}}, "imageBuilders.tag.value: must be a tag value"),
    ({"permissionsBoundary": "a b"}, "permissionsBoundary: must be the name of an IAM managed policy"),
]


@pytest.mark.parametrize(("context", "message"), WRONG)
def test_every_key_has_its_rule(context: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        Config.from_context({"stackName": "Night", **context}.get)
    assert str(caught.value).startswith(message)


def test_everything_that_can_be_chosen_is_read() -> None:
    context = {
        "stackName": "Night",
        "chat": True,
        "runbookUrl": "https://example.com/runbook.md",
        "imageBuilders": {"names": ["golden-*"], "tag": {"key": "Start", "value": "yes"}},
        "permissionsBoundary": "team/Boundary",
    }
    assert Config.from_context(context.get) == Config(
        "Night",
        chat=True,
        runbook_url="https://example.com/runbook.md",
        image_builders=ImageBuilders(("golden-*",), ("Start", "yes")),
        permissions_boundary="team/Boundary",
    )


@pytest.mark.parametrize(("value", "chat"), [("true", True), ("false", False), (None, False), (False, False)])
def test_a_boolean_may_come_as_text_from_the_command_line(value: object, chat: bool) -> None:
    assert Config.from_context({"stackName": "Night", "chat": value}.get).chat is chat
