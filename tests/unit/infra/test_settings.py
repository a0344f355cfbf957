import json
from typing import Any

import pytest

from infra.config.rules import InvalidConfiguration
from infra.config.settings import Config, ImageBuilders, Subscriber


def test_subscribers_are_read() -> None:
    context = {"stackName": "Night", "subscribers": [{"protocol": "email", "endpoint": "ops@example.com"}]}
    assert Config.from_context(context.get) == Config("Night", (Subscriber("email", "ops@example.com"),))


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({}, "stackName: must be a CloudFormation stack name"),
        ({"stackName": ""}, "stackName: must be a CloudFormation stack name"),
        ({"subscribers": "ops@example.com"}, "subscribers: must be a list"),
        ({"subscribers": [{"protocol": "email"}]}, "subscribers[0].endpoint: is required"),
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


EMAIL = {"protocol": "email", "endpoint": "ops@example.com"}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:"

WRONG = [
    ({"stackName": 5}, "stackName: must be a CloudFormation stack name"),
    ({"stackName": ["Night"]}, "stackName: must be a CloudFormation stack name"),
    ({"stackName": "Night\n"}, "stackName: must be a CloudFormation stack name"),
    ({"stackName": "N\u00e4chte"}, "stackName: must be a CloudFormation stack name"),
    ({"subscribers": {}}, "subscribers: must be a list"),
    ({"subscribers": 0}, "subscribers: must be a list"),
    ({"subscribers": ""}, "subscribers: must be a list"),
    ({"subscribers": "[" * 100_000}, "subscribers: must be a list"),
    ({"subscribers": '{"protocol": "email"}'}, "subscribers: must be a list"),
    ({"subscribers": ["ops@example.com"]}, "subscribers[0]: must be an object"),
    ({"subscribers": [EMAIL, None]}, "subscribers[1]: must be an object"),
    ({"subscribers": [[EMAIL]]}, "subscribers[0]: must be an object"),
    ({"subscribers": [{**EMAIL, "name": "ops"}]}, "subscribers[0].name: there is no such key"),
    ({"subscribers": [{**EMAIL, "protocol": ["email"]}]}, "subscribers[0].protocol: must be one of"),
    ({"subscribers": [{**EMAIL, "protocol": {}}]}, "subscribers[0].protocol: must be one of"),
    ({"subscribers": [{**EMAIL, "protocol": "EMAIL"}]}, "subscribers[0].protocol: must be one of"),
    ({"subscribers": [{**EMAIL, "protocol": None}]}, "subscribers[0].protocol: must not be null"),
    ({"subscribers": [{**EMAIL, "endpoint": ["ops@example.com"]}]}, "subscribers[0].endpoint: must be an e-mail"),
    ({"subscribers": [{**EMAIL, "endpoint": "ops@localhost"}]}, "subscribers[0].endpoint: must be an e-mail address"),
    ({"subscribers": [{**EMAIL, "endpoint": "a@b@example.com"}]}, "subscribers[0].endpoint: must be an e-mail address"),
    ({"subscribers": [{**EMAIL, "endpoint": "\u00f6ps@example.com"}]}, "subscribers[0].endpoint: must be an e-mail"),
    ({"subscribers": [{"protocol": "https", "endpoint": "https://"}]}, "subscribers[0].endpoint: must be a URL"),
    ({"subscribers": [{"protocol": "https", "endpoint": "https:///x"}]}, "subscribers[0].endpoint: must be a URL"),
    ({"subscribers": [{"protocol": "https", "endpoint": "https://a b"}]}, "subscribers[0].endpoint: must be a URL"),
    (
        {"subscribers": [{"protocol": "sqs", "endpoint": f"{QUEUE}ops.fifo"}]},
        "subscribers[0].endpoint: must be the ARN",
    ),
    ({"subscribers": [{"protocol": "sqs", "endpoint": f"{QUEUE}{'a' * 81}"}]}, "subscribers[0].endpoint: must be the"),
    (
        {"subscribers": [{"protocol": "sqs", "endpoint": "arn:aws:sqs:us-east-1:\uff11\uff12\uff13456789012:ops"}]},
        "subscribers[0].endpoint: must be the ARN of an SQS queue that is no FIFO queue",
    ),
    ({"subscribers": [EMAIL, EMAIL]}, "subscribers: there are two of 'email ops@example.com'"),
    (
        {"subscribers": [{**EMAIL, "endpoint": f"ops{index}@example.com"} for index in range(301)]},
        "subscribers, schedules, triggers: must fit into one CloudFormation stack",
    ),
    ({"chat": {}}, "chat: must be true or false, not {}"),
    ({"runbookUrl": 0}, "runbookUrl: must be a URL that begins with https://"),
    ({"imageBuilders": ""}, "imageBuilders: must be an object"),
    ({"imageBuilders": False}, "imageBuilders: must be an object"),
    ({"imageBuilders": []}, "imageBuilders: must be an object"),
    ({"imageBuilders": '["gold"]'}, "imageBuilders: must be an object"),
    ({"imageBuilders": {"names": []}}, "imageBuilders.names: must have at least one"),
    ({"imageBuilders": {"names": None}}, "imageBuilders.names: must not be null"),
    ({"imageBuilders": {"names": {"gold": 1}}}, "imageBuilders.names: must be a list"),
    ({"imageBuilders": {"names": [None]}}, "imageBuilders.names[0]: must be the name of an image builder"),
    ({"imageBuilders": {"names": [["gold"]]}}, "imageBuilders.names[0]: must be the name of an image builder"),
    ({"imageBuilders": {"names": [""]}}, "imageBuilders.names[0]: must be the name of an image builder"),
    ({"imageBuilders": {"names": ["g\u00f6ld"]}}, "imageBuilders.names[0]: must be the name of an image builder"),
    ({"imageBuilders": {"names": ["a" * 102]}}, "imageBuilders.names[0]: must be the name of an image builder"),
    (
        {"imageBuilders": {"names": [f"gold-{n}" for n in range(200)]}},
        "imageBuilders.names: must fit into an IAM policy",
    ),
    ({"imageBuilders": {"tag": None}}, "imageBuilders.tag: must not be null"),
    ({"imageBuilders": {"tag": {"key": "Start"}}}, "imageBuilders.tag.value: is required"),
    ({"imageBuilders": {"tag": {"key": "", "value": "1"}}}, "imageBuilders.tag.key: must be a tag key"),
    ({"imageBuilders": {"tag": {"key": ["a"], "value": "1"}}}, "imageBuilders.tag.key: must be a tag key"),
    ({"imageBuilders": {"tag": {"key": "a", "value": "b" * 257}}}, "imageBuilders.tag.value: must be a tag value"),
    ({"imageBuilders": {"tag": {"key": "a", "value": "${b}"}}}, "imageBuilders.tag.value: must be a tag value"),
    ({"imageBuilders": {"tag": {"key": "a", "value": "b", "Key": "c"}}}, "imageBuilders.tag.Key: there is no such key"),
    ({"permissionsBoundary": "/team/Boundary"}, "permissionsBoundary: must be the name of an IAM managed policy"),
    ({"permissionsBoundary": "team//Boundary"}, "permissionsBoundary: must be the name of an IAM managed policy"),
    ({"permissionsBoundary": "team/"}, "permissionsBoundary: must be the name of an IAM managed policy"),
    ({"permissionsBoundary": "a" * 129}, "permissionsBoundary: must be the name of an IAM managed policy"),
    ({"permissionsBoundary": f"{'a/' * 300}{'b' * 128}"}, "permissionsBoundary: must be the name of an IAM managed"),
    ({"permissionsBoundary": "Gr\u00e4nze"}, "permissionsBoundary: must be the name of an IAM managed policy"),
    ({"permissionsBoundary": []}, "permissionsBoundary: must be the name of an IAM managed policy"),
    ({"stackName": "1st"}, "stackName: must be a CloudFormation stack name"),
    ({"stackName": "a_b"}, "stackName: must be a CloudFormation stack name"),
    ({"subscribers": [{"protocol": "sqs", "endpoint": "ops"}]}, "subscribers[0].endpoint: must be the ARN of an SQS"),
    ({"chat": "yes"}, "chat: must be true or false, not 'yes'"),
    ({"chat": 1.5}, "chat: must be true or false, not 1.5"),
    ({"chat": []}, "chat: must be true or false, not []"),
    ({"runbookUrl": "http://x"}, "runbookUrl: must be a URL that begins with https://"),
    ({"imageBuilders": ["gold"]}, "imageBuilders: must be an object"),
    ({"imageBuilders": {"name": "gold"}}, "imageBuilders.name: there is no such key; there are names, tag"),
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


@pytest.mark.parametrize(
    ("protocol", "endpoint"),
    [
        ("email", "image.ops+night@mail.example.com"),
        ("https", "https://example.com"),
        ("https", "https://user:pass@hooks.example.com:8443/a/b?c=d#e"),
        ("sqs", "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:image_ops-1"),
    ],
)
def test_an_endpoint_that_sns_takes_is_taken(protocol: str, endpoint: str) -> None:
    context = {"stackName": "Night", "subscribers": [{"protocol": protocol, "endpoint": endpoint}]}
    assert Config.from_context(context.get).subscribers == (Subscriber(protocol, endpoint),)


def test_lists_and_objects_may_come_as_text_from_the_command_line() -> None:
    context = {"stackName": "Night", "subscribers": json.dumps([EMAIL]), "imageBuilders": '{"names": ["golden-*"]}'}
    config = Config.from_context(context.get)
    assert config.subscribers == (Subscriber("email", "ops@example.com"),)
    assert config.image_builders == ImageBuilders(("golden-*",))
