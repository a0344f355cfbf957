from typing import Any

import pytest

from infra.config import Config, InvalidConfiguration, Subscriber


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
