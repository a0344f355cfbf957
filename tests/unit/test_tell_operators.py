"""The function that tells: once, in the configured form, and not again where the workflow has told."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

import tell_operators
from image_builder import message
from image_builder.ending import read_ending
from tell_operators import Settings

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
    monkeypatch.setattr(tell_operators, "sns", client)
    return messages


def tell(event: dict[str, Any]) -> dict[str, bool]:
    told: dict[str, bool] = tell_operators.handler(event, CONTEXT)
    return told


def test_it_publishes_the_mail(published: list[dict[str, Any]]) -> None:
    assert tell(event()) == {"Told": True} | {key: published[0][key] for key in ("Subject", "Message")}
    ending = read_ending(event()["detail"])
    assert published == [
        {
            "TopicArn": "arn:aws:sns:us-east-1:000000000000:operators",
            "Subject": "Image builder gold did not start: Odd",
            "Message": message.mail(ending, ""),
        }
    ]


def test_what_the_workflow_has_told_is_not_told_again(published: list[dict[str, Any]]) -> None:
    assert tell(event(OperatorTold=True)) == {"Told": False}
    assert published == []


def test_with_chat_https_subscribers_get_the_notification_and_all_others_the_mail(
    published: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(tell_operators.settings, chat=True, runbook_url="https://example.com/runbook.md")
    monkeypatch.setattr(tell_operators, "settings", settings)
    tell(event())
    (one,) = published
    ending = read_ending(event()["detail"])
    assert one["MessageStructure"] == "json"
    assert json.loads(one["Message"]) == {
        "default": message.mail(ending, settings.runbook_url),
        "https": message.chat(ending, settings.runbook_url),
    }


@pytest.mark.parametrize(
    ("told", "route", "counts"), [(False, "notify", [0.0, 1.0]), (True, "notify", [0.0]), (False, "fail", [0.0, 1.0])]
)
def test_it_counts_what_was_told_by_route(
    published: list[dict[str, Any]], capsys: pytest.CaptureFixture[str], told: bool, route: str, counts: list[float]
) -> None:
    tell(event(OperatorTold=told, Route=route))
    metrics = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    *without_route, metric = metrics
    assert (metric["OperatorsTold"], metric["Route"]) == (counts, route)
    assert [(one["FailuresTold"], one["service"]) for one in without_route] == (
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
    described = {"executionArn": ARN, "status": "RUNNING", "error": "Odd", "input": '{"Name": "gold"}'}

    def client(**cause: Any) -> Any:
        answer = {**described, "cause": json.dumps(CAUSE | cause)}
        answers = SimpleNamespace(describe_execution=lambda executionArn: answer)  # noqa: N803  # as boto3 names it
        return lambda: answers

    monkeypatch.setattr(tell_operators, "stepfunctions", client())
    assert tell(status_change)["Told"] is True
    assert published[0]["Subject"] == "Image builder gold did not start: Odd"
    monkeypatch.setattr(tell_operators, "stepfunctions", client(OperatorTold=True))
    assert tell(status_change) == {"Told": False}
