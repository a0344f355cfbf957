"""What operators read: subject, mail and chat."""

import json
import re
import unicodedata
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambdas.image_builder import dead_letter, execution_result, notification
from lambdas.image_builder.notification import Notice, quote
from lambdas.image_builder.request import STARTED_BY_EXECUTION

ARN = "arn:aws:states:eu-west-1:111122223333:execution:StartImageBuilder:f0"
MACHINE = "arn:aws:states:eu-west-1:111122223333:stateMachine:StartImageBuilder:live"
RUNBOOK = "https://example.com/runbook.md"
NOW = datetime(2026, 11, 26, 2, 41, tzinfo=UTC)
CAUSE = {
    "Name": "gold",
    "Route": "notify",
    "Message": "The image builder is FAILED. SUBNET_NOT_FOUND: It is gone.",
    "Advice": "Create a new image builder.",
    "ImageBuilder": {
        "State": "FAILED",
        "StateChangeReason": {"Code": "INTERNAL_ERROR"},
        "ImageBuilderErrors": [{"ErrorCode": "INTERNAL_SERVICE_ERROR"}, {"ErrorCode": "SUBNET_NOT_FOUND"}],
    },
}
FAILED = {"executionArn": ARN, "status": "FAILED", "error": "ImageBuilderFailed", "cause": CAUSE, "attempts": 3}
SCHEDULED = {
    "detail-type": "Scheduled start",
    "source": "start-image-builder.schedule",
    "resources": ["arn:aws:scheduler:eu-west-1:111122223333:schedule/images/patch-night"],
    "time": "2026-11-26T02:00:00Z",
    "detail": {"Name": "gold", "StopOnFailure": True},
}
DESCRIBED = {
    "startDate": datetime(2026, 11, 26, 2, tzinfo=UTC),
    "stateMachineAliasArn": MACHINE,
    "input": json.dumps(SCHEDULED),
}
RUNNING_BUILDER = {"Name": "gold", "State": "RUNNING"}
OUTPUT = {"Started": True, "WaitedSeconds": 60, "ImageBuilder": RUNNING_BUILDER, "Advice": "It is billed."}
RUNNING = {"executionArn": ARN, "status": "SUCCEEDED", "output": OUTPUT}


def notice(detail: Any = FAILED, described: Any = DESCRIBED, **changes: Any) -> Notice:
    result = execution_result.read_execution_result({**detail, **changes})
    with patch.object(execution_result, "now", lambda: NOW):
        return execution_result.notice_of(result, described)


def mail(detail: Any = FAILED, described: Any = DESCRIBED, *, runbook: str = "", **changes: Any) -> str:
    return notification.mail(notice(detail, described, **changes), runbook)


def letter(body: str = '{"Name": "gold"}', **attributes: str) -> Notice:
    known = {
        "ERROR_CODE": "AccessDeniedException",
        "ERROR_MESSAGE": "The role may not.",
        "RETRY_ATTEMPTS": "3",
        "SCHEDULE_ARN": "arn:aws:scheduler:eu-west-1:111122223333:schedule/images/patch-night",
        "TARGET_ARN": MACHINE,
        **attributes,
    }
    values = {name: {"stringValue": value} for name, value in known.items() if value}
    return dead_letter.notice_of(
        {"body": body, "messageAttributes": values, "attributes": {"SentTimestamp": "1795656000000"}}
    )


# docs/reference.md has a whole mail, which tests/unit/test_docs.py compares.
def test_a_mail_says_what_failed_what_to_do_and_who_started_it() -> None:
    text = mail(runbook=RUNBOOK)
    assert text.startswith(
        "Image builder gold did not start.\n\n"
        "WHAT HAPPENED\nThe image builder is FAILED. SUBNET_NOT_FOUND: It is gone.\n\n"
        "Error: ImageBuilderFailed\n\n"
        "WHAT TO DO (an operator)\n1. Create a new image builder.\n"
    )
    assert """--input '{"Name": "gold", "StopOnFailure": true}'\n""" in text
    assert "5. The runbook has more: https://example.com/runbook.md#ImageBuilderFailed\n" in text
    assert "\nFailed at 2026-11-26 02:41 UTC, 41 minutes after its start and after 3 attempts.\n" in text
    assert (
        "\nStarted at 2026-11-26 02:00 UTC by the schedule patch-night, due at 2026-11-26T02:00:00Z "
        "(arn:aws:scheduler:eu-west-1:111122223333:schedule/images/patch-night).\n"
    ) in text
    assert "\ngold, account 111122223333, eu-west-1 (FAILED at the last poll)\n" in text


def test_a_mail_about_a_success_has_no_error_and_names_nobody_to_act() -> None:
    text = mail(RUNNING, runbook=RUNBOOK)
    assert text.startswith("Image builder gold is running.\n\nWHAT HAPPENED\nThis execution started it. The")
    assert "it is billed now" in text
    assert not re.search("Error|operator|runbook|start-execution", text)
    assert "\n1. It is billed.\n2. Stop the image builder by hand when nobody needs it.\n   aws appstream" in text
    joined = mail(RUNNING, output=json.dumps({**OUTPUT, "Started": False, "WaitedSeconds": 412}))
    assert "It was running, or someone else had started it. The execution waited 7 minutes for it." in joined


def test_a_mail_without_a_runbook_url_has_the_steps_of_the_runbook() -> None:
    runbook = notification._runbook()
    for error, steps in runbook.items():
        text = mail(error=error)
        assert set(map(quote, steps)) <= set(re.findall(r"^\d+\. (.+)$", text, re.MULTILINE))
        assert not re.search(r"runbook|\$[A-Z]|\]\(", text)
    assert len(runbook["AccessDeniedException"]) >= 3
    assert runbook["AccessDeniedException"][0] not in mail(error="AccessDeniedException", runbook=RUNBOOK)


@pytest.mark.parametrize(
    ("changes", "headline", "last_step"),
    [
        ({"cause": {**CAUSE, "Aim": "stop"}}, "Image builder gold was not stopped.", "stop-image-builder --name gold"),
        ({"cause": {**CAUSE, "Aim": "fleet"}}, "Not all image builders of a fleet started.", "start-execution"),
        ({"status": "ABORTED"}, "Image builder gold: the execution did not end by itself.", "start-execution"),
        ({"status": "ABORTED", "input": "{}"}, "An image builder: the execution did not end by itself.", "start-exe"),
        ({"error": "AutoStopNotScheduled"}, "Image builder gold has no auto-stop.", "stop-image-builder --name gold"),
    ],
)
def test_a_mail_begins_with_the_failure_and_ends_its_steps_with_a_command(
    changes: dict[str, Any], headline: str, last_step: str
) -> None:
    text = mail(**{"input": DESCRIBED["input"], **changes})
    assert text.startswith(f"{headline}\n\n")
    *_, last = re.findall(r"\n\d\. .+\n   (.+)", text)
    assert last_step in last


def test_a_requester_gets_the_commands_to_correct_the_request_and_no_value_of_it() -> None:
    described = {**DESCRIBED, "input": '{"Name": "gold", "Password": "hunter2"}'}
    text = mail(described=described, error="InvalidRequest", cause={**CAUSE, "Route": "fail"})
    assert "WHAT TO DO (the requester)\n" in text
    assert "--query input --output text > request.json\n" in text
    assert "--input file://request.json\n" in text
    # An unknown route and a long request: from the execution as well.
    assert '--input "$(aws stepfunctions' in mail(described=described, cause={**CAUSE, "Route": "odd"})
    assert "hunter2" not in text + mail(described=described)


def test_an_execution_that_was_started_without_the_alias_is_started_again_without_it() -> None:
    described = {"startDate": DESCRIBED["startDate"], "stateMachineArn": MACHINE.removesuffix(":live"), "input": "{}"}
    assert f"--state-machine-arn {described['stateMachineArn']} --input" in mail(described=described)


@pytest.mark.parametrize(
    ("execution_input", "starter"),
    [
        ({"Name": "gold"}, "a StartExecution call (AWS CloudTrail shows the caller)."),
        ({STARTED_BY_EXECUTION: ARN}, f"the execution {ARN}."),
        (
            {"detail-type": "Patch", "source": "my.app", "time": "01:59:59Z"},
            "the event Patch from my.app of 01:59:59Z.",
        ),
        ({"detail-type": "Patch", "resources": []}, "the event Patch from None of None."),
    ],
)
def test_a_mail_says_who_started_the_execution(execution_input: Any, starter: str) -> None:
    text = mail(described={**DESCRIBED, "input": json.dumps(execution_input)})
    assert f"Started at 2026-11-26 02:00 UTC by {starter}\n" in text


def test_an_execution_that_could_not_be_described_still_has_its_mail() -> None:
    text = mail(described={})
    assert "Failed at 2026-11-26 02:41 UTC. Who started it is not known: it could not be described.\n" in text
    assert f'--state-machine-arn {MACHINE.removesuffix(":live")} --input "$(aws stepfunctions' in text


@pytest.mark.parametrize(
    ("partition", "host"),
    [("aws", "console.aws.amazon.com"), ("aws-us-gov", "console.amazonaws-us-gov.com"), ("aws-iso", None)],
)
def test_links_go_to_the_console_of_the_partition_if_that_is_public(partition: str, host: str | None) -> None:
    arn = ARN.replace("arn:aws:", f"arn:{partition}:")
    assert set(re.findall(r"https://([^/]+)", mail(executionArn=arn))) == ({host} if host else set())
    assert f"\n{arn}\n" in mail(executionArn=arn)


@pytest.mark.parametrize(
    ("changes", "subject"),
    [
        ({}, "[FAILED] gold, SUBNET_NOT_FOUND, eu-west-1, 111122223333"),
        ({"cause": {**CAUSE, "ImageBuilder": None}}, "[FAILED] gold, ImageBuilderFailed, eu-west-1, 111122223333"),
        ({"error": "Odd\nBcc: \u00fc"}, "[FAILED] gold, Odd Bcc: ?, eu-west-1, 111122223333"),
        (
            {"error": "StartTimedOut", "cause": {**CAUSE, "Name": "g" * 101}},
            f"[FAILED] {'g' * 47}..., StartTimedOut, eu-west-1, 111122223333",
        ),
        (
            {"error": "E" * 300, "cause": {**CAUSE, "Name": "g" * 101}},
            f"[FAILED] {'g' * 9}..., {'E' * 48}..., eu-west-1, 111122223333",
        ),
        ({"cause": {**CAUSE, "Name": None}, "error": "X"}, "[FAILED] image builder, X, eu-west-1, 111122223333"),
        (RUNNING, "[RUNNING] gold, eu-west-1, 111122223333"),
    ],
)
def test_a_subject_shortens_the_name_before_the_cause(changes: dict[str, Any], subject: str) -> None:
    found = notification.subject(notice(**changes))
    assert found == subject
    # Source: Amazon SNS API reference, Publish, Subject.
    assert len(found) < 100
    assert found.isascii()


def test_chat_gets_a_custom_notification_with_commands_and_links() -> None:
    found = json.loads(notification.chat(notice(), RUNBOOK))
    content, steps = found["content"], found["content"]["nextSteps"]
    assert (found["version"], found["source"], content["textType"]) == ("1.0", "custom", "client-markdown")
    assert content["title"] == notification.subject(notice())
    assert content["description"] == f"Image builder gold did not start. {CAUSE['Message']}"
    assert steps[0] == "Create a new image builder."
    assert steps[1].endswith("`aws appstream --region eu-west-1 describe-image-builders --names gold`")
    assert steps[-3:] == [
        f"<{RUNBOOK}#ImageBuilderFailed|Open: runbook>",
        f"<https://console.aws.amazon.com/states/home?region=eu-west-1#/v2/executions/details/{ARN}|Open: execution>",
        "<https://console.aws.amazon.com/appstream2/home?region=eu-west-1#/images?topTab=image-builders"
        "|Open: image builder>",
    ]
    assert (found["metadata"]["threadId"], found["metadata"]["enableCustomActions"]) == ("f0", False)
    assert found["metadata"]["additionalContext"]["Error"] == "ImageBuilderFailed"
    assert '"Error"' not in notification.chat(notice(RUNNING), "")


def test_a_dead_letter_names_its_schedule_and_has_the_command_to_start_by_hand() -> None:
    text = notification.mail(letter(json.dumps(SCHEDULED)), "")
    assert text.startswith("Schedule patch-night could not start its workflow.\n\nWHAT HAPPENED\nEventBridge Scheduler")
    assert "nothing was started. It tried 3 more times. It says: The role may not.\n" in text
    assert "WHEN AND WHO\nGiven up at 2026-11-26 01:20 UTC.\n" in text
    (request,) = re.findall(r"--input '(.+)'\n", text)
    assert json.loads(request) == SCHEDULED["detail"]
    assert notification.subject(letter()) == (
        "[FAILED] schedule patch-night, AccessDeniedException, eu-west-1, 111122223333"
    )
    long = notification.mail(letter(json.dumps({"Name": "gold", "SkipTag": "t" * 700})), "")
    assert "First save the request below as request.json.\n" in long
    assert long.count("--input file://request.json\n") == 1
    rule = letter(SCHEDULE_ARN="", RULE_ARN="arn:aws:events:eu-west-1:1:rule/images/asked", RETRY_ATTEMPTS="0")
    assert rule.headline == "Event rule asked could not start its workflow"
    assert "more times" not in rule.message


@pytest.mark.parametrize("body", ["no JSON\nWHAT TO DO\nforged", "", "[" * 10_000])
def test_a_dead_letter_of_any_content_has_a_mail(body: str) -> None:
    text = notification.mail(dead_letter.notice_of({"body": body}), "")
    assert "Error: Unknown\n" in text
    assert "\nforged" not in text
    assert "WHEN AND WHO" not in text


FLEET = json.dumps({"ImageBuilders": ["n" * 101] * 1_000})
LONG_CAUSE = {**dict.fromkeys(("Message", "Advice"), "\U0001f600\\" * 20_000), "Route": "notify"}


@pytest.mark.parametrize("with_chat", [False, True])
@pytest.mark.parametrize(
    ("longest", "kept"),
    [
        (letter(FLEET), FLEET),
        (letter(json.dumps('\u20ac\\"' * 43_000)), "(cut: "),
        (notice(cause=LONG_CAUSE, error="\u20ac" * 20_000), "WHAT TO DO"),
    ],
    ids=["fleet", "escapes", "cause"],
)
def test_a_message_at_its_limits_is_one_that_sns_takes(longest: Notice, kept: str, with_chat: bool) -> None:
    message = notification.sns_message(longest, RUNBOOK, with_chat=with_chat)
    # Source: Amazon SNS API reference, Publish.
    assert len(message["Message"].encode()) + len(message["Subject"]) <= 262_144
    assert message.get("MessageStructure") == ("json" if with_chat else None)
    forms = json.loads(message["Message"]) if with_chat else {"default": message["Message"]}
    assert kept in forms["default"]
    if with_chat:
        chat = json.loads(forms["https"])
        # Source: Amazon Q Developer in chat applications administrator guide, Custom notifications.
        assert len(chat["content"]["title"]) <= 250
        assert len(chat["content"]["description"]) <= 8_000
        assert all(len(text) <= 2_000 for text in chat["content"]["nextSteps"])
        assert all(len(text) <= 1_000 for text in chat["metadata"]["additionalContext"].values())


FRAGMENTS = [
    *("\n", "\r\n", "\u2028", "\x00", "\x1b[31m", "\u202e", "\u2066", "\u200b", "\ud800", "WHAT TO DO", "EXECUTION"),
    *("https://evil.example/x", "www.evil.example", "x@evil.example", "evil.example/pay", "hxxp:// ", "#", "> ", "|"),
    *("*b*", "_i_", "~s~", "`c`", "```", "<!channel>", "<https://evil.example|here>", "[a](https://evil.example)"),
    *("@here", "\\", "'", '"', "$(reboot)", "; reboot", "{", "}", "ok", " "),
]
HOSTILE = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=12).map("".join)
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
HEADINGS = {"WHAT HAPPENED", "WHAT TO DO", "WHEN AND WHO", "IMAGE BUILDER", "IMAGE BUILDERS", "EXECUTION"}
HEADINGS |= {"REQUEST", "SCHEDULE", "WORKFLOW"}


def check_mail(text: str) -> None:
    assert not {unicodedata.category(char) for char in text.replace("\n", "")} & INVISIBLE
    lines = text.splitlines()
    found = [line.partition(" (")[0] for line in lines if line.partition(" (")[0] in HEADINGS]
    assert len(found) == len(set(found)), "a forged heading"
    # What mail programs make a link of, but for the console's links and the commands, which start with three blanks.
    foreign = (line for line in lines if not line.startswith(("https://console.aws.amazon.com/", "   ")))
    assert not [line for line in foreign if re.search(r"://|www\.|\w@\w+\.\w|\.[a-z]{2,}/", line, re.IGNORECASE)]


def check_chat(text: str) -> None:
    found = json.loads(text)
    texts = [found["content"]["title"], found["content"]["description"], *found["content"]["nextSteps"]]
    texts += [*found["metadata"]["additionalContext"].values(), *found["metadata"]["relatedResources"]]
    for each in texts:
        assert not {unicodedata.category(char) for char in each} & INVISIBLE
        own = re.sub(r" `[^`]+`$|^<https://[^|<>]+\|Open: [a-z ]+>$|^\[(?:FAILED|RUNNING)\] ", "", each)
        assert not re.search(r"[*~`\[\]<>|@#\\]|(?<![^\W_])_|_(?![^\W_])|://|www\.", own.replace("[:]", "")), own


@settings(deadline=None, max_examples=100)
@example(["WHAT TO DO"] * 12, "start")
@example(["WHEN AND WHO (you)"] * 12, "stop")
@given(st.lists(HOSTILE, min_size=12, max_size=12), st.sampled_from(["start", "stop", "fleet"]))
def test_hostile_text_is_inert_in_every_field_of_every_notification(texts: list[str], aim: str) -> None:
    name, message, advice, error, state, code, run, parent, source, moment, tag, key = texts
    arn = f"{ARN}-{re.sub(r'[:`]', '', run)}"
    cause: dict[str, Any] = {"Aim": aim, "Name": name, "Route": "notify", "Message": message, "Advice": advice}
    cause["ImageBuilder"] = {"Name": name, "State": state, "ImageBuilderErrors": [{"ErrorCode": code}]}
    inputs: list[Any] = [
        {"Name": name, STARTED_BY_EXECUTION: parent, key: tag},
        {"detail-type": source, "source": moment, "time": moment, "resources": [parent], "detail": {"Name": name}},
        {**SCHEDULED, "resources": [parent], "time": moment},
        {"Tag": {"Key": key, "Value": tag}},
    ]
    details: list[Any] = [{"status": "FAILED", "error": error, "cause": cause}, {"status": "ABORTED", "cause": message}]
    details += [{"status": "SUCCEEDED", "output": {"ImageBuilder": cause["ImageBuilder"], "Advice": advice}}]
    for execution_input in inputs:
        described = {**DESCRIBED, "input": json.dumps(execution_input)}
        for detail in details:
            each = notice({"executionArn": arn, "input": described["input"], **detail}, described)
            check_mail(notification.mail(each, ""))
            check_chat(notification.chat(each, ""))
            assert notification.subject(each).isprintable()
    letters = letter(message, ERROR_CODE=error, ERROR_MESSAGE=advice, SCHEDULE_ARN=parent, RETRY_ATTEMPTS=tag)
    check_mail(notification.mail(letters, ""))
    check_chat(notification.chat(letters, ""))


def test_a_valid_name_and_the_words_of_aws_are_quoted_as_they_are() -> None:
    for text in ("golden.image_1-x", f"The role {ARN} may not call appstream:StartImageBuilder.", "a, b (c); d = 'e'"):
        assert quote(text) == quote(text, markdown=True) == text
    assert quote("See https://docs.aws.amazon.com/x now") == "See https[:]//docs[.]aws[.]amazon[.]com/x now"
    assert quote("<*a*> _b_ c_d", markdown=True) == "\uff1c\uff0aa\uff0a\uff1e \uff3fb\uff3f c_d"


@given(
    st.recursive(st.none() | st.booleans() | HOSTILE, lambda inner: st.lists(inner) | st.dictionaries(HOSTILE, inner))
)
def test_a_value_in_a_command_stays_the_same_and_is_inert(value: Any) -> None:
    text = notification.json_argument(value)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert not re.search(r"['`<>@*\n]|://|www\.", text)
    assert text.isascii()
