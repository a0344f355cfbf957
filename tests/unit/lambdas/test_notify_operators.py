"""The function that tells: once, in the configured form, and not again where the workflow has told."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas import notify_operators
from lambdas.image_builder import notification
from lambdas.image_builder.dead_letter import read_dead_letter
from lambdas.image_builder.execution_result import read_execution_result
from lambdas.image_builder.notification import of_dead_letter, of_execution_result
from lambdas.notify_operators import NotYetKnown, Settings

ARN = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:test"
CAUSE = {"Name": "gold", "Route": "notify", "Message": "It broke.", "Advice": "Mend it."}
CONTEXT = SimpleNamespace(
    function_name="f", memory_limit_in_mb=256, invoked_function_arn="arn", aws_request_id="1", function_version="1"
)


def event(**cause: Any) -> dict[str, Any]:
    return {
        "detail": {"executionArn": ARN, "status": "FAILED", "error": "Odd", "cause": json.dumps(CAUSE | cause)},
    }


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    client = SimpleNamespace(publish=lambda **published: messages.append(published))
    monkeypatch.setattr(notify_operators, "sns", client)
    return messages


def tell(event: dict[str, Any]) -> dict[str, bool]:
    told: dict[str, bool] = notify_operators.handler(event, CONTEXT)
    return told


def test_it_publishes_the_mail(published: list[dict[str, Any]]) -> None:
    assert tell(event()) == {"Told": True} | {key: published[0][key] for key in ("Subject", "Message")}
    ending = read_execution_result(event()["detail"])
    assert published == [
        {
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:operators",
            "Subject": "Image builder gold did not start: Odd",
            "Message": notification.mail(of_execution_result(ending), ""),
        }
    ]


def test_what_the_workflow_has_told_is_not_told_again(published: list[dict[str, Any]]) -> None:
    assert tell(event(OperatorsNotified=True)) == {"Told": False}
    assert published == []


def test_with_chat_https_subscribers_get_the_notification_and_all_others_the_mail(
    published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(notify_operators.settings, chat=True, runbook_url="https://example.com/runbook.md")
    monkeypatch.setattr(notify_operators, "settings", settings)
    tell(event())
    (one,) = published
    ending = read_execution_result(event()["detail"])
    assert one["MessageStructure"] == "json"
    assert json.loads(one["Message"]) == {
        "default": notification.mail(of_execution_result(ending), settings.runbook_url),
        "https": notification.chat(of_execution_result(ending), settings.runbook_url),
    }


@pytest.mark.parametrize(
    ("told", "route", "counts"), [(False, "notify", [0.0, 1.0]), (True, "notify", [0.0]), (False, "fail", [0.0, 1.0])]
)
def test_it_counts_what_was_told_by_route(
    published: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], told: bool, route: str, counts: list[float]
) -> None:
    tell(event(OperatorsNotified=told, Route=route))
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    *without_route, metric = metrics
    assert (metric["OperatorsNotified"], metric["Route"]) == (counts, route)
    assert [(one["FailuresNotified"], one["service"]) for one in without_route] == (
        [] if told else [([1.0], "start-image-builder")]
    )


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(KeyError, match="TOPIC_ARN"):
        Settings.from_env({"CHAT": "false", "RUNBOOK_URL": ""})


def test_of_an_event_only_execution_and_status_are_believed(
    published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As documented: neither Error nor Cause. The execution has been redriven since.
    status_change = {"detail-type": "Step Functions Execution Status Change", "detail": {}}
    status_change["detail"] = {
        "executionArn": ARN,
        "status": "FAILED",
        "input": None,
        "inputDetails": {"included": False},
    }
    described = {"executionArn": ARN, "status": "RUNNING", "redriveDate": "today", "input": '{"Name": "gold"}'}
    described["error"] = "Odd"

    def client(**cause: Any) -> Any:
        answer = {**described, "cause": json.dumps(CAUSE | cause)}
        answers = SimpleNamespace(describe_execution=lambda executionArn: answer)  # noqa: N803  # as boto3 names it
        return lambda: answers

    monkeypatch.setattr(notify_operators, "stepfunctions", client())
    assert tell(status_change)["Told"] is True
    assert published[0]["Subject"] == "Image builder gold did not start: Odd"
    monkeypatch.setattr(notify_operators, "stepfunctions", client(OperatorsNotified=True))
    assert tell(status_change) == {"Told": False}


def test_an_end_that_step_functions_does_not_show_yet_is_left_to_the_next_try(
    published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    # DescribeExecution is eventually consistent.
    told = {
        "executionArn": ARN,
        "status": "FAILED",
        "error": "Odd",
        "cause": json.dumps(CAUSE | {"OperatorsNotified": True}),
    }
    answers = iter([{"executionArn": ARN, "status": "RUNNING", "input": "{}"}, told])
    client = SimpleNamespace(describe_execution=lambda executionArn: next(answers))  # noqa: N803  # as boto3 names it
    monkeypatch.setattr(notify_operators, "stepfunctions", lambda: client)
    event = {
        "detail-type": "Step Functions Execution Status Change",
        "detail": {"executionArn": ARN, "status": "FAILED"},
    }
    with pytest.raises(NotYetKnown, match=ARN):
        tell(event)
    assert tell(event) == {"Told": False}
    assert published == []


def test_what_an_event_says_of_the_end_counts(published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    redriven = {"executionArn": ARN, "status": "RUNNING", "redriveDate": "today", "input": '{"Name": "gold"}'}
    client = SimpleNamespace(describe_execution=lambda executionArn: redriven)  # noqa: N803  # as boto3 names it
    monkeypatch.setattr(notify_operators, "stepfunctions", lambda: client)
    cause = json.dumps(CAUSE | {"OperatorsNotified": True})
    detail = {"executionArn": ARN, "status": "FAILED", "error": "Odd", "cause": cause}
    assert tell({"detail-type": "Step Functions Execution Status Change", "detail": detail}) == {"Told": False}


DEAD_LETTER: dict[str, Any] = {
    "body": '{\n"Name": "gold"}',
    "messageAttributes": {
        name: {"stringValue": value, "dataType": "String"}
        for name, value in {
            "ERROR_CODE": "AccessDeniedException",
            "ERROR_MESSAGE": "The role may not.",
            "RETRY_ATTEMPTS": "0",
            "SCHEDULE_ARN": "arn:aws:scheduler:us-east-1:000000000000:schedule/images/patch-night",
            "TARGET_ARN": "arn:aws:states:us-east-1:000000000000:stateMachine:Start:live",
        }.items()
    },
}


def test_a_start_that_could_not_be_delivered_is_told(
    published: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tell({"Records": [DEAD_LETTER]})["Told"] is True
    (one,) = published
    assert one["Subject"] == "Schedule patch-night could not start its workflow: AccessDeniedException"
    assert one["Message"] == notification.mail(of_dead_letter(read_dead_letter(DEAD_LETTER)), "")
    assert 'REQUEST\n{"Name": "gold"}\n' in one["Message"]
    (metric,) = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    # No execution failed: what counts those must not count this.
    assert (metric["Route"], metric["OperatorsNotified"], "FailuresNotified" in metric) == (
        "undelivered",
        [0.0, 1.0],
        False,
    )


def test_a_letter_of_an_event_names_its_rule(published: list[dict[str, Any]]) -> None:
    attributes: dict[str, Any] = {
        **DEAD_LETTER["messageAttributes"],
        "RULE_ARN": {"stringValue": "arn:aws:events:r:1:rule/images/asked"},
    }
    del attributes["SCHEDULE_ARN"]
    tell({"Records": [{**DEAD_LETTER, "messageAttributes": attributes}]})
    assert published[0]["Subject"].startswith("Event rule asked could not start its workflow")


@pytest.mark.parametrize("body", ["no JSON\nERROR\nforged", "", "[" * 10_000])
def test_a_letter_that_is_none_is_told_all_the_same_and_looks_like_nothing_else(
    published: list[dict[str, Any]], body: str
) -> None:
    tell({"Records": [{"body": body}]})
    (one,) = published
    assert "ERROR\nUnknown\n" in one["Message"]
    assert "\nforged" not in one["Message"]


def test_the_request_of_a_fleet_is_told_whole_and_a_longer_one_says_that_it_is_cut(
    published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notify_operators, "settings", replace(notify_operators.settings, chat=True))
    fleet = json.dumps({"ImageBuilders": ["n" * 101] * 1_000})
    for body in (fleet, json.dumps("x" * 250_000)):
        tell({"Records": [{**DEAD_LETTER, "body": body}]})
        # At most. Source: Amazon SNS API reference, Publish.
        assert len(published[-1]["Message"].encode()) <= 262_144
    whole, cut = (json.loads(one["Message"])["default"] for one in published)
    assert fleet in whole
    assert "... (cut: 250002 characters)" in cut
