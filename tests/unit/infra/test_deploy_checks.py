"""What the account and the Region of a deployment show about its settings."""

from typing import Any

import pytest

from infra.config.deploy_checks import problems, warnings
from infra.config.settings import Settings

ACCOUNT, REGION = "111122223333", "eu-central-1"


def arn(service: str, resource: str, region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:{service}:{region}:{account}:{resource}"


def bus(**where: str) -> str:
    return arn("events", "event-bus/images", **where)


def key(**where: str) -> str:
    return arn("kms", "key/00000000-0000-0000-0000-000000000000", **where)


def trigger(event_bus: str) -> dict[str, Any]:
    return {"triggers": [{"name": "requests", "pattern": {"source": ["my.app"]}, "eventBus": event_bus}]}


THERE = {"region": "us-east-1"}
THEIRS = {"account": "444455556666"}


@pytest.mark.parametrize(
    ("changes", "problem", "warning"),
    [
        ({}, "", ""),
        (trigger("images"), "", ""),
        (trigger(bus()), "", ""),
        (trigger(bus(**THERE)), "triggers (requests).eventBus: must be a bus of account 111122223333", ""),
        (trigger(bus(**THEIRS)), "triggers (requests).eventBus: must be a bus of account 111122223333", ""),
        ({"eventBus": bus()}, "", ""),
        ({"eventBus": bus(**THERE)}, "eventBus: must be a bus in eu-central-1, not arn:aws:events:us", ""),
        ({"eventBus": bus(**THEIRS)}, "", "eventBus: belongs to account 444455556666: its resource policy"),
        ({"encryptionKey": True}, "", ""),
        ({"encryptionKey": key()}, "", ""),
        ({"encryptionKey": key(**THERE)}, "encryptionKey: must be in eu-central-1, not arn:aws:kms", ""),
        ({"encryptionKey": key(**THEIRS)}, "", "encryptionKey: belongs to another account"),
        ({"secondAlarmAction": arn("sns", "ops", **THEIRS)}, "", ""),
        ({"secondAlarmAction": arn("sns", "ops", **THERE)}, "secondAlarmAction: must be in eu-central-1", ""),
        ({"secondAlarmAction": arn("ssm-incidents", "response-plan/ops", region="")}, "", ""),
    ],
)
def test_settings_are_checked_against_account_and_region(changes: dict[str, Any], problem: str, warning: str) -> None:
    settings = Settings.load({"stackName": "Night", **changes})
    for expected, found in ((problem, problems), (warning, warnings)):
        sentences = list(found(settings, ACCOUNT, REGION))
        assert len(sentences) == bool(expected), sentences
        assert "".join(sentences).startswith(expected)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "us-isob-east-1"])
def test_a_region_with_appstream_is_not_warned_of(region: str) -> None:
    assert list(warnings(Settings.load({"stackName": "Night"}), ACCOUNT, region)) == []


@pytest.mark.parametrize(("region", "where"), [("eu-north-1", "eu-central-1"), ("cn-north-1", "no Region of this")])
def test_a_region_without_appstream_is_warned_of(region: str, where: str) -> None:
    (warning,) = warnings(Settings.load({"stackName": "Night"}), ACCOUNT, region)
    assert warning.startswith(f"AppStream 2.0 is not in {region}, as botocore ")
    assert where in warning
