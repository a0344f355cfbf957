"""The commands for pending auto-stops. On a deployment: tests/e2e/test_cli.py."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cli import auto_stops
from cli.account import run_command
from cli.auto_stops import PendingStop
from tests.unit.cli.conftest import Aws
from tests.unit.cli.test_deployment import stack

OLD = "arn:aws:states:us-east-1:123456789012:execution:Stop:old"
REQUEST = {"Name": "gold", "StopAfterMinutes": 30, "SkipTag": "Keep"}


@pytest.mark.parametrize(
    ("answer", "status", "called"),
    [({"executionArn": "new"}, 0, ["StartExecution", "StopExecution"]), (("Odd", "no"), 1, ["StartExecution"])],
    ids=["started", "refused"],
)
def test_an_extension_cancels_the_old_auto_stop_once_the_new_one_is_started(
    aws: Aws, answer: Any, status: int, called: list[str]
) -> None:
    aws.answers = {
        **stack("UPDATE_COMPLETE", {"StopAliasArn": "arn:aws:states:us-east-1:123456789012:stateMachine:Stop:live"}),
        "ListExecutions": {"executions": [{"executionArn": OLD, "startDate": datetime.now(UTC)}]},
        "DescribeExecution": {"input": json.dumps(REQUEST)},
        "GetCallerIdentity": {"Arn": "arn:me"},
        "StartExecution": answer,
        "StopExecution": {},
    }
    assert run_command(auto_stops.main, "extend", "gold", "120") == status
    assert [operation for operation in aws.called if operation.startswith("St")] == called


@pytest.mark.parametrize(
    ("request_of_stop", "text"),
    [
        (REQUEST, "gold  stops 30 minutes after it is RUNNING"),
        ({"Name": "g\x1b[2J\nold"}, r"g\u001b[2J\nold  stops as soon as it is RUNNING"),
    ],
)
def test_a_pending_stop_is_one_line_that_controls_nothing(request_of_stop: dict[str, Any], text: str) -> None:
    since = datetime.now(UTC) - timedelta(minutes=12)
    assert str(PendingStop(OLD, since, request_of_stop)) == f"{text}, scheduled 12 minutes ago  {OLD}"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("extend", None, "5"), "NAME: must be the name of an image builder"),
        (("cancel", "a b", ""), "NAME: must be the name of an image builder"),
        (("extend", "gold", "0"), "MINUTES: must be an integer from 1 to 10080, not '0'"),
        (("extend", "gold", ""), "MINUTES: must be an integer from 1 to 10080, not ''"),
        (("extend", "gold", "٣"), "MINUTES: must be an integer from 1 to 10080, not '٣'"),
    ],
)
def test_a_wrong_option_is_refused_by_its_rule_before_any_call(
    aws: Aws, options: tuple[object, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(auto_stops.main, *options) == 1
    assert capsys.readouterr().err.startswith(sentence)
    assert aws.called == []
