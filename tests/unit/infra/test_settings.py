"""What is read from settings.json, and what a wrong setting says at synth: its path, the rule and the value."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.config.settings import InvalidSettings, Settings, reference, schema
from lambdas.image_builder.request import FIELDS
from tests.conftest import PROJECT
from tests.contracts import JSON

EMAIL = {"protocol": "email", "endpoint": "ops@example.com"}
QUEUE = "arn:aws:sqs:us-east-1:123456789012:"
TOPIC = "arn:aws:sns:us-east-1:123456789012:ops"
KEY = "arn:aws:kms:us-east-1:123456789012:key/00000000-0000-0000-0000-000000000000"
SCHEDULE: dict[str, Any] = {"name": "night", "expression": "rate(1 day)", "request": {"Name": "gold"}}
TRIGGER: dict[str, Any] = {"name": "requests", "pattern": {"source": ["my.app"]}}


def refused(given: object) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(given)
    return list(caught.value.problems)


EVERYTHING: dict[str, Any] = json.loads((PROJECT / "tests" / "infra" / "strict.settings.json").read_text("utf-8"))


NESTED: Any = []
for _ in range(50_000):
    NESTED = {"a": NESTED}


def test_only_the_stack_name_is_required() -> None:
    assert refused({}) == ["stackName: is required"]


def test_every_setting_is_read() -> None:
    read = Settings.load(EVERYTHING).model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True)
    assert read == {key: value for key, value in EVERYTHING.items() if key != "$schema"}


def test_settings_come_from_the_file_or_from_the_context_as_json_or_as_another_file(tmp_path: Path) -> None:
    other = tmp_path / "staging.json"
    other.write_text(json.dumps(EVERYTHING), "utf-8")
    assert Settings.load() == Settings.from_context({"aws:cdk:version-reporting": True})
    for value in (EVERYTHING, json.dumps(EVERYTHING), str(other)):
        assert Settings.from_context({"settings": value}) == Settings.load(EVERYTHING)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("nowhere.json", "cannot be read: No such file or directory"),
        ("", "cannot be read: Is a directory"),
        ("{", "must be JSON: Expecting property name"),
        ('{"tags": {"a": "b", "a": "c"}}', "must be JSON: 'a' is there twice"),
        ('{"triggers": [NaN]}', "must be JSON: NaN is no number that JSON has"),
        pytest.param('{"tags":' * 100_000, "must be JSON: ", id="nested"),
        ({"triggers": [{"pattern": {"source": ["a"], "detail": NESTED}}]}, "must not nest so deeply"),
        (True, "must be a JSON object, not true"),
        ([], "must be a JSON object, not []"),
    ],
)
def test_what_is_no_object_of_settings_is_refused(value: object, problem: str) -> None:
    (found,) = refused(value)
    assert found.startswith(problem)


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("imageBuilders", "it belongs into settings.json"),
        ("imageBuilder", "did you mean imageBuilders?"),
        ("setings", "did you mean settings?"),
    ],
)
def test_a_setting_at_the_top_level_of_the_context_is_refused(key: str, hint: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_context({key: "staging.json", "@aws-cdk/core:checkSecretUsage": True})
    assert str(caught.value) == f"The settings (CDK context) are wrong:\n- {key}: the context has no such key; {hint}"


def test_every_problem_is_named_at_once() -> None:
    wrong = {
        "imageBuilder": {"names": ["golden-*"]},
        "subscribers": [{"protocol": "sms", "to": "ops@example.com"}, 5],
        "imageBuilders": {"tag": {"Key": "a", "value": "b"}, "colour": 1},
        "triggers": [{**TRIGGER, "request": {"Name": "gold"}}],
        "schedules": [{**SCHEDULE, "timeZone": "UTC", "timezone": "Berlin", "request": {}, "end": "soon"}],
        "logRetentionDays": None,
    }
    assert refused(wrong) == [
        "stackName: is required",
        "subscribers[0].protocol: must be 'email', 'https' or 'sqs', not \"sms\"",
        "subscribers[0].endpoint: is required",
        "subscribers[0].to: there is no such key; there are protocol, endpoint",
        "subscribers[1]: must be an object, not 5",
        "imageBuilders.tag.key: is required",
        "imageBuilders.tag.Key: there is no such key; did you mean key?",
        "imageBuilders.colour: there is no such key; there are names, tag",
        'schedules[0] (night).timezone: must be an IANA time zone, such as Europe/Berlin, not "Berlin"',
        f"schedules[0] (night).request: Name: is required: {FIELDS['Name'].rule}",
        'schedules[0] (night).end: must be a date and time with an offset, such as 2026-12-01T00:00:00Z, not "soon"',
        "schedules[0] (night).timeZone: there is no such key; did you mean timezone?",
        "triggers[0] (requests).request: there is no such key; there are name, pattern, eventBus, workflow, enabled",
        "logRetentionDays: must be 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, "
        "2557, 2922, 3288 or 3653, not null",
        "imageBuilder: there is no such key; did you mean imageBuilders?",
    ]


WRONG: list[tuple[str, str, list[Any]]] = [
    ("stackName", "a CloudFormation stack name", [5, "", "1st", "a_b", "Night\n", "N\u00e4chte", "a" * 129]),
    ("subscribers", "a list", ["ops@example.com", {}, None]),
    ("subscribers[0]", "an object", ["ops@example.com", [EMAIL]]),
    ("subscribers[0].protocol", "'email', 'https' or 'sqs'", ["Email", ["email"]]),
    ("subscribers[0].endpoint", "an e-mail address, a URL", ["ops", "ops@localhost", "a b@example.com", "https://"]),
    ("subscribers[0].endpoint", "an e-mail address, a URL", ["http://example.com", "https://a b", f"{QUEUE}a.fifo"]),
    ("chat", "true or false", ["true", 1, {}, None]),
    ("runbookUrl", "a URL that begins with https://", [0, "", "http://x", f"https://{'a' * 600}"]),
    ("imageBuilders", "an object", ["", ["gold"], None]),
    ("imageBuilders.names", "a list", ["gold", {"gold": 1}]),
    ("imageBuilders.names[0]", "the name of an image builder", ["", "a/b", "g\u00f6ld", "a" * 102]),
    ("imageBuilders.tag", "an object", ["Start", []]),
    ("imageBuilders.tag.key", "a tag key", ["", ["a"], "a" * 129, "${b}"]),
    ("imageBuilders.tag.value", "a tag value", [1, "b" * 257, "${b}"]),
    ("permissionsBoundary", "the name of an IAM managed policy", ["", "/team/B", "a/", "a" * 129, "a b"]),
    ("eventBus", "the name or the ARN of an event bus", ["", "a bus", f"{QUEUE}ops"]),
    ("encryptionKey", "the ARN of a KMS key, or true", [False, "", "alias/a", KEY.replace("key/", "alias/")]),
    ("secondAlarmAction", "the ARN of an SNS topic", ["", f"{QUEUE}ops", f"{TOPIC}.fifo", True]),
    ("logRetentionDays", "1, 3, 5", [0, "90"]),
    ("logRetentionDays", "a number", [True]),
    ("tags", "an object", [[], "a=b"]),
    ("tags.Team", "a string", [5]),
    ("schedules[0].name", "a name of 1 to 64", ["a b", "", "a" * 65, 5]),
    ("schedules[0].expression", "a string", [5]),
    ("schedules[0].timezone", "an IANA time zone", ["Berlin", ["UTC"], "../etc/passwd"]),
    ("schedules[0].workflow", "'start', 'stop' or 'fleet'", ["begin", ["start"]]),
    ("schedules[0].request", "a request, as a JSON object", ["gold", []]),
    ("schedules[0].flexibleWindowMinutes", "an integer from 0 to 1440", [1441, -1, 1.5, "15"]),
    ("schedules[0].start", "a date and time with an offset", ["2026-12-01", "2026-12-01T00:00:00", 5, "5"]),
    ("triggers[0].name", "a name of 1 to 64", ["a/b"]),
    ("triggers[0].eventBus", "the name or the ARN", ["a bus"]),
    ("triggers[0].pattern", "an event pattern, such as", [["my.app"], "my.app"]),
]


@pytest.mark.parametrize(
    ("path", "rule", "value"), [(path, rule, value) for path, rule, values in WRONG for value in values]
)
def test_a_wrong_value_is_refused_with_its_path_rule_and_value(path: str, rule: str, value: object) -> None:
    changed: Any = json.loads(json.dumps(EVERYTHING))
    *parents, last = [int(key) if key.isdigit() else key for key in re.split(r"[.\[\]]+", path.strip("]"))]
    target = changed
    for key in parents:
        target = target[key]
    target[last] = value
    # Without the name of the schedule or trigger.
    (problem,) = (re.sub(r"\[0\] \(.*?\)", "[0]", problem) for problem in refused(changed))
    assert problem.startswith(f"{path}: must be {rule}")
    assert json.dumps(value)[:100] in problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subscribers": [EMAIL, EMAIL]}, 'subscribers: there are two of "email ops@example.com"'),
        (
            {"subscribers": [{"protocol": "https", "endpoint": "a@example.com"}]},
            'subscribers[0]: the endpoint "a@example.com" is one of email, not of https',
        ),
        ({"schedules": [SCHEDULE, SCHEDULE]}, 'schedules: there are two of "night"'),
        ({"triggers": [TRIGGER, TRIGGER]}, 'triggers: there are two of "requests"'),
        ({"triggers": [{**TRIGGER, "name": str(number)} for number in range(10)]}, "triggers: must have at most 9"),
        ({"\ud800": 1}, "must be text, with whole characters"),
        ({"imageBuilders": {"names": []}}, "imageBuilders.names: must have at least 1; leave the key out for all"),
        ({"imageBuilders": {"names": ["gold"] * 31}}, "imageBuilders.names: must have at most 30"),
        (
            {"schedules": [{**SCHEDULE, "name": f"s{number}"} for number in range(298)], "triggers": [TRIGGER]},
            "subscribers, schedules, triggers: must be at most 300 together",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], problem: str) -> None:
    (found,) = refused(EVERYTHING | changes)
    assert found.startswith(problem)


def places(value: Any, *path: str | int) -> Iterator[tuple[str | int, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        yield from places(member, *path, key)


@settings(max_examples=500, deadline=None)
@given(st.sampled_from([*places(EVERYTHING)][1:]), JSON)
def test_any_json_anywhere_is_read_or_refused_in_sentences(path: tuple[str | int, ...], value: object) -> None:
    changed: Any = json.loads(json.dumps(EVERYTHING))
    *parents, last = path
    target = changed
    for key in parents:
        target = target[key]
    target[last] = value
    with suppress(InvalidSettings):
        Settings.load(changed)


def test_the_schema_and_the_table_have_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(EVERYTHING, schema())
    assert "| `stackName` | required | the CloudFormation stack" in reference()
    assert all(f"| `{key}` |" in reference() for key in EVERYTHING if key != "$schema")
