"""What the account and the Region of a deployment show about its settings."""

from typing import Any

import pytest

from infra.config.deploy_checks import problems, warnings
from infra.config.settings import Settings

ACCOUNT, REGION = "111122223333", "eu-central-1"


def bus(region: str = REGION, account: str = ACCOUNT) -> str:
    return f"arn:aws:events:{region}:{account}:event-bus/images"


def trigger(event_bus: str) -> dict[str, Any]:
    return {"triggers": [{"name": "requests", "pattern": {"source": ["my.app"]}, "eventBus": event_bus}]}


THERE, THEIRS = bus(region="us-east-1"), bus(account="444455556666")


@pytest.mark.parametrize(
    ("changes", "problem", "warning"),
    [
        ({}, "", ""),
        (trigger("images"), "", ""),
        (trigger(bus()), "", ""),
        (trigger(THERE), "triggers (requests).eventBus: must be a bus of account 111122223333", ""),
        (trigger(THEIRS), "triggers (requests).eventBus: must be a bus of account 111122223333", ""),
        ({"eventBus": bus()}, "", ""),
        ({"eventBus": THERE}, "eventBus: must be a bus in eu-central-1, not arn:aws:events:us", ""),
        ({"eventBus": THEIRS}, "", "eventBus: belongs to account 444455556666: its resource policy"),
    ],
)
def test_settings_are_checked_against_account_and_region(changes: dict[str, Any], problem: str, warning: str) -> None:
    settings = Settings.load({"stackName": "Night", **changes})
    for expected, found in ((problem, problems), (warning, warnings)):
        sentences = list(found(settings, ACCOUNT, REGION))
        assert len(sentences) == bool(expected), sentences
        assert "".join(sentences).startswith(expected)


@pytest.mark.parametrize(
    ("region", "where"),
    [("us-east-1", ""), ("us-isob-east-1", ""), ("eu-north-1", "eu-central-1"), ("cn-north-1", "no Region of this")],
)
def test_a_region_without_appstream_is_warned_of(region: str, where: str) -> None:
    found = warnings(Settings.load({"stackName": "Night"}), ACCOUNT, region)
    assert len(found) == bool(where)
    assert all(f"AppStream 2.0 is not in {region}" in warning and where in warning for warning in found)
