"""What is read from settings.json, and what a wrong setting says at synth: its path, the rule and the value."""

import contextlib
import json
import re
from collections.abc import Sequence
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


def load(**changes: object) -> Settings:
    return Settings.load({"stackName": "Night", **changes})


def refused(given: object) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        Settings.load(given)
    return list(caught.value.problems)


EVERYTHING: dict[str, Any] = json.loads((PROJECT / "tests" / "infra" / "strict.settings.json").read_text("utf-8"))


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
        ('{"stackName": NaN}', "must be JSON: NaN is no JSON"),
        ('{"chat": true, "chat": false}', "must be JSON: 'chat' is there twice"),
        ("[" * 100_000, "must be JSON: maximum recursion depth"),
        ("[1]", "must be a JSON object, not [1]"),
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
        "schedules": [{**SCHEDULE, "timeZone": "UTC", "timezone": "Berlin", "request": {}, "end": None}],
        "triggers": [{**TRIGGER, "request": {"Name": "gold"}}],
        "permissionsBoundary": None,
    }
    assert refused(wrong) == [
        "stackName: is required",
        'subscribers[0].protocol: must be one of email, https, sqs, not "sms"',
        "subscribers[0].endpoint: is required",
        "subscribers[0].to: there is no such key; there are protocol, endpoint",
        "subscribers[1]: must be an object, not 5",
        "imageBuilders.tag.key: is required",
        "imageBuilders.tag.Key: there is no such key; did you mean key?",
        "imageBuilders.colour: there is no such key; there are names, tag",
        "permissionsBoundary: must not be null; leave the key out for its default",
        'schedules[0] (night).timezone: must be an IANA time zone, such as Europe/Berlin, not "Berlin"',
        f"schedules[0] (night).request: Name: is required: {FIELDS['Name'].rule}",
        "schedules[0] (night).end: must not be null; leave the key out for its default",
        "schedules[0] (night).timeZone: there is no such key; did you mean timezone?",
        "triggers[0] (requests).request: there is no such key; there are name, pattern, eventBus, workflow, enabled",
        "imageBuilder: there is no such key; did you mean imageBuilders?",
    ]


WRONG: list[tuple[str, str, list[Any]]] = [
    ("stackName", "a CloudFormation stack name", [5, ["Night"], "", "1st", "a_b", "Night\n", "N\u00e4chte", "a" * 129]),
    ("subscribers", "a list", ["ops@example.com", {}, 0, ""]),
    ("subscribers[0]", "an object", ["ops@example.com", [EMAIL]]),
    ("subscribers[0].protocol", "one of email, https, sqs", ["sms", "Email", ["email"], {}]),
    ("chat", "true or false", ["yes", "true", 1, 0, [], {}]),
    ("runbookUrl", "a URL that begins with https://", [0, "", "http://x", "https://x\n", f"https://{'a' * 600}"]),
    ("imageBuilders", "an object", ["", False, [], '["gold"]', ["gold"]]),
    ("imageBuilders.names", "a list", ["gold", {"gold": 1}]),
    ("imageBuilders.names[0]", "the name of an image builder", [["gold"], "", "a/b", "g\u00f6ld", "a" * 102]),
    ("imageBuilders.tag", "an object", ["Start", []]),
    ("imageBuilders.tag.key", "a tag key", ["", ["a"], "aws:x", "AWS:x", "a" * 129, "${b}"]),
    ("imageBuilders.tag.value", "a tag value", [1, "b" * 257, "${b}"]),
    ("permissionsBoundary", "the name of an IAM managed policy", ["", "/team/B", "team//B", "a/", "a" * 129, []]),
    ("permissionsBoundary", "the name of an IAM managed policy", [f"{'a/' * 300}{'b' * 128}", "a b", "Gr\u00e4nze"]),
    ("eventBus", "the name or the ARN of an event bus", ["", "a bus", [], "b\u00fcs", f"{QUEUE}ops"]),
    ("encryptionKey", "the ARN of a KMS key, or true", [False, 1, "", "alias/a", KEY.replace("key/", "alias/")]),
    ("secondAlarmAction", "the ARN of an SNS topic", ["", "on-call", f"{QUEUE}ops", f"{KEY}", True, f"{TOPIC}.fifo"]),
    ("logRetentionDays", "one of 1, 3, 5", [0, 2, True, "90", 90.0, 4000]),
    ("keepLogs", "true or false", ["yes", 1]),
    ("tags", "an object", [[], "a=b"]),
    ("tags.Team", "a tag value of 1 to 256 such characters", ["", 5, "a" * 257, "a\nb"]),
    ("schedules[0].name", "a name of 1 to 64", ["a b", "", "n\u00e4chtlich", "a" * 65, 5, "a/b"]),
    ("schedules[0].expression", "cron(minutes", [5, ["rate(1 day)"]]),
    ("schedules[0].timezone", "an IANA time zone", ["Berlin", ["UTC"], "", "localtime", "Factory", "../etc/passwd"]),
    ("schedules[0].workflow", "one of start, stop, fleet", ["begin", ["start"], {}]),
    ("schedules[0].request", "a request, as a JSON object", ["gold", [], 5]),
    ("schedules[0].flexibleWindowMinutes", "an integer from 0 to 1440", [1441, True, -1, 1.5, "15"]),
    ("schedules[0].enabled", "true or false", ["maybe", 0, []]),
    ("schedules[0].start", "a date and time with an offset", ["2026-12-01", "2026-12-01T00:00:00", 5, ""]),
    ("schedules[0].start", "a date and time with an offset", ["0001-01-01T00:00:00+14:00"]),
    ("schedules[0].end", "a date and time with an offset", ["9999-12-31T23:59:59-14:00"]),
    ("triggers[0].name", "a name of 1 to 64", ["a/b", ""]),
    ("triggers[0].workflow", "one of start, stop, fleet", [["start"], "begin"]),
    ("triggers[0].enabled", "true or false", [1, "true"]),
    ("triggers[0].eventBus", "the name or the ARN", ["", "a bus", "b\u00fcs", f"{QUEUE}ops"]),
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


def test_an_endpoint_that_fits_its_protocol_is_read() -> None:
    endpoints = {
        "email": "image.ops+night@mail.example.com",
        "https": "https://user:pass@hooks.example.com:8443/a/b?c=d#e",
        "sqs": "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:image_ops-1",
    }
    read = load(subscribers=[{"protocol": key, "endpoint": value} for key, value in endpoints.items()])
    assert {each.protocol: each.endpoint for each in read.subscribers} == endpoints


@pytest.mark.parametrize(
    ("protocol", "rule", "endpoints"),
    [
        ("email", "an e-mail address", ["ops", "ops@localhost", "a@b@example.com", "\u00f6ps@example.com"]),
        ("email", "an e-mail address", ["a b@example.com", "ops@example.com\n"]),
        ("https", "a URL that begins with https://", ["http://example.com", "https://", "https:///x", "https://a b"]),
        ("sqs", "the ARN of an SQS queue that is no FIFO queue", ["ops", f"{QUEUE}ops.fifo", f"{QUEUE}{'a' * 81}"]),
        ("sqs", "the ARN of an SQS queue", ["arn:aws:sqs:us-east-1:\uff11\uff12\uff13456789012:ops"]),
    ],
)
def test_an_endpoint_that_does_not_fit_its_protocol_is_refused(protocol: str, rule: str, endpoints: list[str]) -> None:
    for endpoint in endpoints:
        (problem,) = refused(EVERYTHING | {"subscribers": [{"protocol": protocol, "endpoint": endpoint}]})
        assert problem.startswith(f"subscribers[0].endpoint: must be {rule}")
        assert json.dumps(endpoint)[:100] in problem


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"subscribers": [EMAIL, EMAIL]}, 'subscribers: there are two of "email ops@example.com"'),
        ({"schedules": [SCHEDULE, SCHEDULE]}, 'schedules: there are two of "night"'),
        ({"triggers": [TRIGGER, TRIGGER]}, 'triggers: there are two of "requests"'),
        ({"triggers": [{**TRIGGER, "name": str(number)} for number in range(10)]}, "triggers: must have at most 9"),
        ({"imageBuilders": {"names": []}}, "imageBuilders.names: must have at least 1; leave the key out for all"),
        (
            # Without the tag, the names would fit.
            {"imageBuilders": {"names": ["gold"] * 75, "tag": {"key": "k" * 128, "value": "v" * 256}}},
            "imageBuilders: must fit into an IAM policy: name fewer, with * for what differs",
        ),
        ({"tags": {"aws:Team": "a"}}, "tags.aws:Team: must be a tag key: 1 to 128"),
        ({"tags": {"a\nb": "a"}}, 'tags["a\\nb"]: must be a tag key: 1 to 128'),
        ({"tags": {"Team": "a", "team": "b"}}, "tags: two keys differ only in upper and lower case"),
        ({"tags": {str(number): "a" for number in range(51)}}, "tags: must have at most 50"),
        (
            {"subscribers": [{**EMAIL, "endpoint": f"ops{number}@example.com"} for number in range(301)]},
            "subscribers, schedules, triggers: must fit into one CloudFormation stack: together at most 300",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(changes: dict[str, Any], problem: str) -> None:
    (found,) = refused(EVERYTHING | changes)
    assert found.startswith(problem)


PLACES: list[list[Any]] = [
    *([key] for key in [*EVERYTHING, "extra", "[key]"]),
    *(["imageBuilders", *path] for path in (["names"], ["names", 0], ["tag"], ["tag", "key"], ["tag", "Value"])),
    *(["subscribers", 0, key] for key in ("protocol", "endpoint", "[key]")),
    *(["schedules", 0, key] for key in [*SCHEDULE, "timezone", "start", "end", "workflow", "extra"]),
    *(["triggers", 0, key] for key in [*TRIGGER, "eventBus", "enabled"]),
    *(["triggers", 0, "pattern", key] for key in ("source", "detail", "id", "")),
    *(["tags", key] for key in ("Team", "[key]", "")),
]


@settings(max_examples=1_000, deadline=None)
@given(st.dictionaries(st.sampled_from(range(len(PLACES))), JSON, max_size=3))
def test_any_json_anywhere_is_read_or_refused_in_sentences(values: dict[int, object]) -> None:
    changed: Any = json.loads(json.dumps(EVERYTHING))
    for place, value in values.items():
        target = changed
        *parents, last = PLACES[place]
        with contextlib.suppress(LookupError, TypeError):
            for key in parents:
                target = target[key]
            target[last] = value
    problems: Sequence[str] = ()
    try:
        Settings.load(changed)
    except InvalidSettings as refusal:
        problems = refusal.problems
        assert problems  # of any input
    assert all(": " in problem and len(problem) < 1_500 for problem in problems)


def test_the_schema_and_the_table_have_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    jsonschema.validate(EVERYTHING, schema())
    assert "| `stackName` | required | the CloudFormation stack" in reference()
    assert all(f"| `{key}` |" in reference() for key in EVERYTHING if key != "$schema")
