"""What `make deploy` says of the settings before it changes anything."""

import json
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from cli import check_settings
from infra.config import settings

BUS = "arn:aws:events:us-east-1:{}:event-bus/images"


@pytest.mark.parametrize(
    ("changes", "region", "status", "said"),
    [
        ({}, "us-east-1", 0, ""),
        ({}, "eu-north-1", 0, "Warning: AppStream 2.0 is not in eu-north-1"),
        ({"eventBus": BUS.format("123456789012")}, "us-east-1", 0, ""),
        (
            {"eventBus": BUS.format("444455556666")},
            "us-east-1",
            0,
            "Warning: eventBus: belongs to account 444455556666",
        ),
        (
            {"eventBus": BUS.format("123456789012")},
            "eu-west-1",
            1,
            "The settings (settings.json) are wrong:\n- eventBus: must be a bus in eu-west-1",
        ),
        ({"eventBuss": "images"}, "us-east-1", 1, "eventBuss: there is no such key; did you mean eventBus?"),
        ({}, "", 1, "There is no AWS Region: set AWS_REGION"),
    ],
)
def test_settings_are_checked_before_a_deployment(
    changes: dict[str, Any],
    region: str,
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"stackName": "Night", **changes}), "utf-8")
    monkeypatch.setattr(settings, "FILE", file)
    monkeypatch.setenv("AWS_REGION", region)
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with mock_aws():
        assert check_settings.main() == status
    assert said in capsys.readouterr().err
    assert bool(said) is (status != 0 or "Warning" in said)
