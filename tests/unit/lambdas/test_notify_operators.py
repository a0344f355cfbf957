"""The function that notifies: once, in the configured form, and not where the workflow has done so."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas import notify_operators
from lambdas.notify_operators import NotYetKnown

ARN = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:test"
CAUSE = {"Name": "gold", "Route": "notify", "Message": "It broke.", "Advice": "Fix it."}
FLEET = ARN.replace("StartImageBuilder", "StartFleet")
SUBJECT = "[FAILED] gold, Odd, us-east-1, 000000000000"
STOPPED = 1_795_656_000_000
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=256, invoked_function_arn="arn", aws_request_id="1", function_version="1"
)


def failed(**cause: Any) -> dict[str, Any]:
    return {"executionArn": ARN, "status": "FAILED", "error": "Odd", "cause": json.dumps(CAUSE | cause)}


STATUS_CHANGE = {
    "detail-type": "Step Functions Execution Status Change",
    "detail": {"executionArn": ARN, "status": "FAILED", "stopDate": STOPPED, "input": None, "error": "Not this."},
}


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    monkeypatch.setattr(notify_operators, "sns", SimpleNamespace(publish=lambda **each: messages.append(each)))
    return messages


OF_WORKFLOWS = {
    workflow: f"arn:aws:states:us-east-1:000000000000:execution:S-{workflow}ImageBuilderStateMachine1A:x"
    for workflow in ("Start", "Stop")
}


@pytest.fixture
def described(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What DescribeExecution answers next; an exception is raised."""
    answers: list[Any] = []

    def describe_execution(executionArn: str) -> Any:  # noqa: N803  # as boto3 names it
        assert executionArn in (ARN, FLEET, *OF_WORKFLOWS.values())
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = SimpleNamespace(describe_execution=describe_execution)
    monkeypatch.setattr(notify_operators, "stepfunctions", lambda: client)
    return answers


def notify(event: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = notify_operators.handler(event, CONTEXT)
    return answer


def metrics(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]


def test_it_publishes_the_mail_and_answers_with_it(published: list[Any], described: list[Any]) -> None:
    described.append({"input": '{"Name": "gold"}', "startDate": datetime.now(UTC), "stateMachineAliasArn": "alias"})
    answer = notify({"detail": failed()})
    (message,) = published
    assert message == {"TopicArn": "arn:aws:sns:us-east-1:000000000000:operators", "Subject": SUBJECT} | {
        "Message": answer["Message"]
    }
    assert answer == {"Notified": True, "Subject": SUBJECT, "Message": message["Message"]}
    assert '--state-machine-arn alias --input \'{"Name": "gold"}\'' in message["Message"]


def test_an_execution_that_cannot_be_described_is_notified_all_the_same(
    published: list[Any], described: list[Any]
) -> None:
    described.append(ConnectionError("No answer."))
    assert notify({"detail": failed()})["Notified"] is True
    assert len(published) == 1


def test_with_chat_https_subscribers_get_the_notification_and_all_others_the_mail(
    published: list[Any], described: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_operators, "settings", replace(notify_operators.settings, chat=True))
    described.append({})
    answer = notify({"detail": failed()})
    forms = json.loads(published[0]["Message"])
    assert (published[0]["MessageStructure"], forms["default"]) == ("json", answer["Message"])
    assert json.loads(forms["https"])["source"] == "custom"


@pytest.mark.parametrize(
    ("event", "cause", "sends", "counts"),
    [
        (False, {}, True, True),
        (False, {"Route": "fail"}, True, True),
        (True, {}, True, True),
        # The workflow's own call has counted it.
        (True, {"OperatorsNotified": True}, False, False),
        # A fleet, each failure of which has a message of its own.
        (False, {"OperatorsNotified": True}, False, True),
    ],
)
def test_each_failure_is_counted_once_and_each_message_by_route(
    published: list[Any],
    described: list[Any],
    capsys: pytest.CaptureFixture[str],
    event: bool,
    cause: Any,
    sends: bool,
    counts: bool,
) -> None:
    described.append(failed(**cause))
    assert notify(STATUS_CHANGE if event else {"detail": failed(**cause)})["Notified"] is sends
    assert len(published) == sends
    *without_route, metric = metrics(capsys)
    assert (sum(metric["OperatorsNotified"]), metric["Route"]) == (sends, cause.get("Route", "notify"))
    assert [(one["FailuresNotified"], one["service"]) for one in without_route] == (
        [([1.0], "start-image-builder")] if counts else []
    )


def test_a_message_that_cannot_be_published_is_not_counted(
    described: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def publish(**_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(notify_operators, "sns", SimpleNamespace(publish=publish))
    described.append({})
    with pytest.raises(ConnectionError):
        notify({"detail": failed()})
    assert "FailuresNotified" not in capsys.readouterr().out


def test_of_an_event_only_the_execution_and_its_status_count(published: list[Any], described: list[Any]) -> None:
    described.append(failed())
    assert notify(STATUS_CHANGE)["Subject"] == SUBJECT


@pytest.mark.parametrize("redriven", [None, STOPPED - 1])
def test_a_result_that_step_functions_does_not_show_yet_is_retried(
    published: list[Any], described: list[Any], redriven: int | None
) -> None:
    # DescribeExecution is eventually consistent, after a redrive as well.
    stale: dict[str, Any] = {"executionArn": ARN, "status": "RUNNING", "input": "{}"}
    if redriven:
        stale["redriveDate"] = datetime.fromtimestamp(redriven / 1_000, UTC)
    described += [stale, failed(OperatorsNotified=True)]
    with pytest.raises(NotYetKnown, match="is FAILED; DescribeExecution shows RUNNING"):
        notify(STATUS_CHANGE)
    assert notify(STATUS_CHANGE) == {"Notified": False}
    assert published == []


@pytest.mark.parametrize("status", ["RUNNING", "SUCCEEDED"])
def test_a_failure_that_has_been_redriven_since_is_not_notified(
    published: list[Any], described: list[Any], status: str
) -> None:
    redriven = datetime.fromtimestamp((STOPPED + 60_000) / 1_000, UTC)
    described.append({"executionArn": ARN, "status": status, "redriveDate": redriven, "input": "{}"})
    assert notify(STATUS_CHANGE) == {"Notified": False}
    assert published == []


@pytest.mark.parametrize(
    ("parent", "sends"),
    [
        ({"status": "ABORTED", "input": '{"ImageBuilders": ["gold"]}'}, False),
        ({"status": "TIMED_OUT", "input": '{"detail-type": "x", "detail": {"Tag": {}}}'}, False),
        ({"status": "RUNNING", "input": '{"ImageBuilders": ["gold"]}'}, True),
        # The start of an auto-stop.
        ({"status": "ABORTED", "input": '{"Name": "gold"}'}, True),
        (ConnectionError("No answer."), True),
    ],
)
def test_an_execution_stopped_with_its_fleet_is_covered_by_the_message_of_the_fleet(
    published: list[Any], described: list[Any], capsys: pytest.CaptureFixture[str], parent: Any, sends: bool
) -> None:
    execution_input = json.dumps({"Name": "gold", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": FLEET})
    stopped = {"executionArn": ARN, "status": "ABORTED", "stopDate": STOPPED}
    described += [{**stopped, "input": execution_input}, parent]
    assert notify({**STATUS_CHANGE, "detail": stopped})["Notified"] is sends
    assert len(published) == sends
    assert capsys.readouterr().out.count('"FailuresNotified":[1.0]') == 1


@pytest.mark.parametrize(
    ("workflow", "error", "sends"),
    [("Stop", "AutoStopCancelled", 0), ("Stop", "Other", 1), ("Start", "AutoStopCancelled", 1)],
)
def test_an_auto_stop_that_an_operator_cancels_sends_no_message(
    published: list[Any],
    described: list[Any],
    capsys: pytest.CaptureFixture[str],
    workflow: str,
    error: str,
    sends: int,
) -> None:
    stopped = {"executionArn": OF_WORKFLOWS[workflow], "status": "ABORTED", "stopDate": STOPPED, "error": error}
    described.append({**stopped, "input": '{"Name": "gold"}'})
    assert notify({**STATUS_CHANGE, "detail": stopped})["Notified"] is bool(sends)
    assert len(published) == sends
    assert capsys.readouterr().out.count('"FailuresNotified":[1.0]') == 1


def test_an_event_of_an_execution_that_cannot_be_described_is_retried(described: list[Any]) -> None:
    described.append(ConnectionError("No answer."))
    with pytest.raises(ConnectionError):
        notify(STATUS_CHANGE)


def test_a_dead_letter_is_notified_and_is_no_failed_execution(
    published: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    schedule = {"stringValue": "arn:aws:scheduler:us-east-1:000000000000:schedule/images/patch-night"}
    letter = {"body": '{"Name": "gold"}', "messageAttributes": {"SCHEDULE_ARN": schedule}}
    assert notify({"Records": [letter]})["Notified"] is True
    assert published[0]["Subject"] == "[FAILED] schedule patch-night, Unknown, us-east-1, 000000000000"
    (metric,) = metrics(capsys)
    assert (metric["Route"], sum(metric["OperatorsNotified"])) == ("undelivered", 1)
