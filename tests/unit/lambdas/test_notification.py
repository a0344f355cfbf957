"""What the operators read: mail and chat."""

import json
import re
from dataclasses import replace

import pytest

from lambdas.image_builder import notification
from lambdas.image_builder.dead_letter import DeadLetter
from lambdas.image_builder.execution_result import ExecutionResult
from lambdas.image_builder.notification import of_dead_letter, of_execution_result

ARN = "arn:aws:states:eu-west-1:111122223333:execution:StartImageBuilder:f0"
FAILED = ExecutionResult(
    execution=ARN,
    status="FAILED",
    aim="start",
    name="gold",
    error="ImageBuilderFailed",
    route="notify",
    message="The image builder is FAILED. INTERNAL_ERROR",
    advice="Open an AWS Support case.",
    state="FAILED",
    told=False,
)
RUNNING = replace(
    FAILED, status="SUCCEEDED", error="", route="", message="It runs.", advice="Connect.", state="RUNNING"
)


def test_a_mail_says_what_failed_and_what_to_do_with_the_links_to_it() -> None:
    assert notification.mail(of_execution_result(FAILED), "https://example.com/runbook.md") == (
        "Image builder gold did not start.\n"
        "\n"
        "ERROR\n"
        "ImageBuilderFailed\n"
        "\n"
        "WHAT HAPPENED\n"
        "The image builder is FAILED. INTERNAL_ERROR\n"
        "\n"
        "WHAT TO DO\n"
        "Open an AWS Support case.\n"
        "\n"
        "WHOSE TURN IT IS\n"
        "An operator.\n"
        "\n"
        "IMAGE BUILDER\n"
        "gold (FAILED when last seen), account 111122223333, eu-west-1\n"
        "https://console.aws.amazon.com/appstream2/home?region=eu-west-1#/images\n"
        "\n"
        "EXECUTION\n"
        f"{ARN}\n"
        f"https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{ARN}\n"
        "\n"
        "RUNBOOK\n"
        "https://example.com/runbook.md#ImageBuilderFailed\n"
    )


def test_a_mail_of_a_success_has_no_error_and_nobodys_turn() -> None:
    text = notification.mail(of_execution_result(RUNNING), "")
    assert text.startswith("Image builder gold is running.\n\nWHAT HAPPENED\nIt runs.\n\nWHAT TO DO\nConnect.\n\nIMAGE")
    assert "ERROR" not in text
    assert "RUNBOOK" not in text


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"aim": "stop"}, "Image builder gold was not stopped."),
        ({"aim": ""}, "Image builder gold: the execution broke off."),
        ({"aim": "", "name": None}, "An image builder: the execution broke off."),
        ({"error": "AutoStopNotScheduled"}, "Image builder gold has no guard that stops it."),
    ],
)
def test_a_mail_begins_with_what_did_not_come_about(changes: dict[str, str], headline: str) -> None:
    ending = replace(FAILED, **changes)  # type: ignore[arg-type]  # names of its attributes
    assert notification.mail(of_execution_result(ending), "").startswith(f"{headline}\n\n")
    assert notification.subject(of_execution_result(ending)).startswith(headline[:-1])


def test_without_a_published_runbook_the_project_has_it() -> None:
    assert "RUNBOOK\ndocs/runbook.md#ImageBuilderFailed\n" in notification.mail(of_execution_result(FAILED), "")


@pytest.mark.parametrize("route", ["fail", "notify", "uncaught"])
def test_a_mail_says_whose_turn_it_is(route: str) -> None:
    (turn,) = re.findall(
        r"WHOSE TURN IT IS\n(.+)\n", notification.mail(of_execution_result(replace(FAILED, route=route)), "")
    )
    assert ("Whoever started" in turn) is (route == "fail")


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws", "console.aws.amazon.com"), ("aws-us-gov", "console.amazonaws-us-gov.com"), ("aws-iso", None)],
)
def test_links_go_to_the_console_of_the_partition_where_that_is_public(partition: str, host: str | None) -> None:
    ending = replace(FAILED, execution=ARN.replace("arn:aws:", f"arn:{partition}:"))
    hosts = set(re.findall(r"https://([^/]+)", notification.mail(of_execution_result(ending), "")))
    assert hosts == ({host} if host else set())
    assert ending.execution in notification.mail(of_execution_result(ending), "")


def test_a_builder_that_was_never_named_is_said_so() -> None:
    text = notification.mail(of_execution_result(replace(FAILED, name=None, state=None)), "")
    assert text.startswith("An image builder did not start.")
    assert "none that can exist was named, account" in text


@pytest.mark.parametrize("error", ["ImageBuilderFailed", "Odd\nBcc: all", "\u00dcbel", "x" * 300])
def test_a_subject_is_one_that_sns_takes(error: str) -> None:
    # Below 100 characters, ASCII, no line break or control character. Source: SNS API reference, Publish, Subject.
    subject = notification.subject(of_execution_result(replace(FAILED, name="g" * 101, error=error)))
    assert len(subject) < 100
    assert subject.isascii()
    assert subject.isprintable()


def test_a_subject_names_the_builder_and_the_error() -> None:
    assert notification.subject(of_execution_result(FAILED)) == "Image builder gold did not start: ImageBuilderFailed"
    assert notification.subject(of_execution_result(RUNNING)) == "Image builder gold is running"


def test_chat_gets_a_custom_notification() -> None:
    said = json.loads(notification.chat(of_execution_result(FAILED), "https://example.com/runbook.md"))
    assert (said["version"], said["source"]) == ("1.0", "custom")
    content, metadata = said["content"], said["metadata"]
    assert content["textType"] == "client-markdown"
    assert content["title"] == notification.subject(of_execution_result(FAILED))
    assert content["description"] == FAILED.message
    assert content["nextSteps"] == [
        "Open an AWS Support case.",
        "Runbook: https://example.com/runbook.md#ImageBuilderFailed",
        f"<https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{ARN}|Open: execution>",
        "<https://console.aws.amazon.com/appstream2/home?region=eu-west-1#/images|Open: image builder>",
    ]
    assert metadata["threadId"] == "f0"
    assert metadata["enableCustomActions"] is False
    assert metadata["additionalContext"]["Error"] == "ImageBuilderFailed"


def test_a_chat_notification_of_a_success_has_no_empty_members() -> None:
    said = json.loads(notification.chat(of_execution_result(RUNNING), ""))
    assert "Error" not in said["metadata"]["additionalContext"]
    assert all(said["content"]["nextSteps"])


ALIAS = "arn:aws:states:eu-west-1:111122223333:stateMachine:Start:live"
DEAD_LETTER = DeadLetter(
    kind="Schedule",
    service="EventBridge Scheduler",
    name="patch-night",
    arn="arn:aws:scheduler:eu-west-1:111122223333:schedule/images/patch-night",
    workflow=ALIAS,
    error="AccessDeniedException",
    message="The role may not.",
    retries="3",
    request='{"Name": "gold"}',
)


def test_a_start_that_was_not_delivered_is_told_with_its_request() -> None:
    assert notification.mail(of_dead_letter(DEAD_LETTER), "") == (
        "Schedule patch-night could not start its workflow.\n"
        "\n"
        "ERROR\n"
        "AccessDeniedException\n"
        "\n"
        "WHAT HAPPENED\n"
        "EventBridge Scheduler could not start the workflow, and nothing was started: The role may not. "
        "It tried again 3 times.\n"
        "\n"
        "WHAT TO DO\n"
        "Mend what the error names: as a rule the role that starts the workflow, or a workflow that is gone. "
        "Then start the workflow by hand with the request below, if that is still wanted.\n"
        "\n"
        "WHOSE TURN IT IS\n"
        "An operator.\n"
        "\n"
        "REQUEST\n"
        '{"Name": "gold"}\n'
        "\n"
        "SCHEDULE\n"
        "arn:aws:scheduler:eu-west-1:111122223333:schedule/images/patch-night\n"
        "\n"
        "WORKFLOW\n"
        f"{ALIAS}\n"
        "https://console.aws.amazon.com/states/home?region=eu-west-1#/statemachines/view/"
        f"{ALIAS.removesuffix(':live')}\n"
        "\n"
        "RUNBOOK\n"
        "docs/runbook.md#StartsNotDelivered\n"
    )
    assert notification.subject(of_dead_letter(DEAD_LETTER)) == (
        "Schedule patch-night could not start its workflow: AccessDeniedException"
    )


def test_chat_gets_what_was_not_delivered_too() -> None:
    said = json.loads(notification.chat(of_dead_letter(replace(DEAD_LETTER, retries="", workflow="")), ""))
    assert said["metadata"]["additionalContext"]["Request"] == '{"Name": "gold"}'
    assert said["metadata"]["eventType"] == "ImageBuilderStartNotDelivered"
    assert "again" not in said["content"]["description"]
