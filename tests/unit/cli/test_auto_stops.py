"""The commands for pending auto-stops. On a deployment: tests/e2e/test_auto_stop_commands.py."""

import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from cli import auto_stops
from cli.auto_stops import PendingStop

ALIAS = "arn:aws:states:us-east-1:123456789012:stateMachine:Stop:live"
OLD = "arn:aws:states:us-east-1:123456789012:execution:Stop:old"
NEW = OLD.replace("old", "new")
REQUEST = {"Name": "gold", "StopAfterMinutes": 30, "SkipTag": "Keep", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "x"}
SINCE = datetime.now(UTC) - timedelta(minutes=12)
STOP = PendingStop(OLD, ALIAS, SINCE, REQUEST)


@pytest.fixture
def stepfunctions() -> Iterator[tuple[Any, Stubber]]:
    """A client whose calls have to be those of the stubber, in this order."""
    client = boto3.client("stepfunctions", region_name="us-east-1")
    with Stubber(client) as stubber:
        yield client, stubber
        stubber.assert_no_pending_responses()


def expect_stop(stubber: Stubber, status: str, cause: str) -> None:
    stopped = {"executionArn": OLD, "error": "AutoStopCancelled", "cause": cause}
    if status == "ABORTED":
        stubber.add_response("stop_execution", {"stopDate": SINCE}, stopped)
    else:
        stubber.add_client_error("stop_execution", "ValidationException", expected_params=stopped)
    described = {"executionArn": OLD, "stateMachineArn": ALIAS, "status": status, "startDate": SINCE}
    stubber.add_response("describe_execution", described, {"executionArn": OLD})


def test_an_extension_starts_the_new_auto_stop_before_it_cancels_the_old_one(
    stepfunctions: tuple[Any, Stubber],
) -> None:
    client, stubber = stepfunctions
    request = json.dumps({**REQUEST, "StopAfterMinutes": 120})
    started = {"stateMachineArn": ALIAS, "name": ANY, "input": request}
    stubber.add_response("start_execution", {"executionArn": NEW, "startDate": SINCE}, started)
    expect_stop(stubber, "ABORTED", f"Replaced by {NEW}, by arn:me with `make extend-auto-stop`.")
    assert auto_stops.extend(client, [STOP], 120, "arn:me") == NEW


def test_an_extension_that_cannot_be_started_cancels_nothing(stepfunctions: tuple[Any, Stubber]) -> None:
    client, stubber = stepfunctions
    stubber.add_client_error("start_execution", "ThrottlingException")
    with pytest.raises(ClientError):
        auto_stops.extend(client, [STOP], 120, "arn:me")


@pytest.mark.parametrize(("status", "cancelled"), [("ABORTED", True), ("SUCCEEDED", False)])
def test_a_cancellation_says_whether_the_auto_stop_had_ended_by_itself(
    stepfunctions: tuple[Any, Stubber], status: str, cancelled: bool
) -> None:
    client, stubber = stepfunctions
    expect_stop(stubber, status, "By arn:me.")
    assert auto_stops.cancel(client, STOP, "By arn:me.") is cancelled


@pytest.mark.parametrize(
    ("request_of_stop", "text"),
    [
        (REQUEST, f"gold  stops 30 minutes after it is RUNNING, scheduled 12 minutes ago  {OLD}"),
        (
            {"Name": "g\x1b[2J\nold"},
            rf"g\u001b[2J\nold  stops as soon as it is RUNNING, scheduled 12 minutes ago  {OLD}",
        ),
    ],
)
def test_a_pending_stop_is_one_line_that_controls_nothing(request_of_stop: dict[str, Any], text: str) -> None:
    assert str(PendingStop(OLD, ALIAS, SINCE, request_of_stop)) == text


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
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["auto_stops", *arguments])
    assert auto_stops.main() == 2
    assert capsys.readouterr().err.startswith(sentence)
