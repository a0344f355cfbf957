"""What `make deploy` says of the settings before it changes anything. Of the aliases: tests/e2e."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.account import run_command
from cli.preflight import preflight
from infra.config import settings
from tests.unit.cli.conftest import Aws
from tests.unit.cli.test_deployment import IDENTITY, MISSING

BUS = "arn:aws:events:us-east-1:444455556666:event-bus/images"


@pytest.mark.parametrize(
    ("changes", "region", "status", "said"),
    [
        ({}, "us-east-1", 0, ""),
        ({}, "eu-north-1", 0, "Warning: AppStream 2.0 is not in eu-north-1"),
        ({"eventBus": BUS}, "us-east-1", 0, "Warning: eventBus: belongs to account 4444"),
        ({"eventBus": BUS}, "eu-west-1", 1, "- eventBus: must be a bus in eu-west-1"),
        ({"eventBuss": "images"}, "us-east-1", 1, "eventBuss: there is no such key; did you mean eventBus?"),
    ],
)
def test_settings_are_checked_before_a_deployment(
    changes: dict[str, Any],
    region: str,
    status: int,
    said: str,
    aws: Aws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    aws.answers = {"GetCallerIdentity": IDENTITY, "DescribeStacks": MISSING}
    file = tmp_path / "settings.json"
    file.write_text(json.dumps({"stackName": "Night", **changes}), "utf-8")
    monkeypatch.setattr(settings, "FILE", file)
    monkeypatch.setenv("AWS_REGION", region)
    assert run_command(preflight) == status
    printed = capsys.readouterr().err
    assert said in printed
    assert bool(said) is bool(printed)
