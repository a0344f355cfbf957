"""The commands for pending auto-stops. On a deployment: tests/e2e/test_cli.py."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import auto_stops
from cli.account import connect
from cli.auto_stops import PendingStop
from cli.deployment import Deployment
from infra.config.settings import Settings
from tests.unit.cli.conftest import Aws

OLD = "arn:aws:states:us-east-1:123456789012:execution:Stop:old"
STOPS = [PendingStop(OLD, datetime.now(UTC), {"Name": "gold", "StopAfterMinutes": 30, "SkipTag": "Keep"})]


@pytest.fixture
def stack() -> Deployment:
    outputs = {"StopAliasArn": "arn:aws:states:us-east-1:123456789012:stateMachine:Stop:live"}
    return Deployment(connect("us-east-1"), Settings.load(), "CREATE_COMPLETE", outputs, {})


def test_an_extension_starts_the_new_auto_stop_before_it_cancels_the_old_one(stack: Deployment, aws: Aws) -> None:
    aws.answers = {
        "StartExecution": {"executionArn": "new"},
        "StopExecution": {},
        "DescribeExecution": {"status": "ABORTED"},
    }
    assert auto_stops.extend(stack, STOPS, 120, "arn:me") == "new"
    assert aws.called == ["StartExecution", "StopExecution", "DescribeExecution"]


def test_an_extension_that_cannot_be_started_cancels_nothing(stack: Deployment, aws: Aws) -> None:
    with pytest.raises(ClientError):
        auto_stops.extend(stack, STOPS, 120, "arn:me")
    assert aws.called == ["StartExecution"]


@pytest.mark.parametrize(("status", "cancelled"), [("ABORTED", True), ("SUCCEEDED", False)])
def test_a_cancellation_knows_whether_the_auto_stop_had_ended_by_itself(
    stack: Deployment, aws: Aws, status: str, cancelled: bool
) -> None:
    aws.error = ("ValidationException", "Execution is not running")
    aws.answers = {"DescribeExecution": {"status": status}}
    assert auto_stops.cancel(stack, STOPS, "By arn:me.") is cancelled


@pytest.mark.parametrize(
    ("request_of_stop", "text"),
    [
        (STOPS[0].request, "gold  stops 30 minutes after it is RUNNING"),
        ({"Name": "g\x1b[2J\nold"}, r"g\u001b[2J\nold  stops as soon as it is RUNNING"),
    ],
)
def test_a_pending_stop_is_one_line_that_controls_nothing(request_of_stop: dict[str, Any], text: str) -> None:
    since = datetime.now(UTC) - timedelta(minutes=12)
    assert str(PendingStop(OLD, since, request_of_stop)) == f"{text}, scheduled 12 minutes ago  {OLD}"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["extend", "--minutes=5"], "NAME: must be the name of an image builder"),
        (["cancel", "--name=a b"], "NAME: must be the name of an image builder"),
        (["extend", "--name=gold", "--minutes=0"], "MINUTES: must be an integer from 1 to 10080, not '0'"),
        (["extend", "--name=gold"], "MINUTES: must be an integer from 1 to 10080, not ''"),
        (["extend", "--name=gold", "--minutes=٣"], "MINUTES: must be an integer from 1 to 10080, not '٣'"),
    ],
)
def test_a_wrong_option_is_refused_by_its_rule_before_any_call(
    aws: Aws, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert auto_stops.main(arguments) == 2
    assert capsys.readouterr().err.startswith(sentence)
    assert aws.called == []
