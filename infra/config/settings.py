"""The deployment's settings: settings.json, checked at synth, every problem at once."""

import difflib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self, cast

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from infra.config import Rule, Strict, TrueOrFalse, broken, problem, written
from infra.config.event_patterns import Bus, Trigger
from infra.config.schedules import Schedule

FILE = Path(__file__).parents[2] / "settings.json"

_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)"
PROTOCOLS: Mapping[str, tuple[str, str]] = {
    "email": ("an e-mail address", rf"[!-?A-~]+@{_HOST}+"),
    # SNS takes a user and a password in the URL.
    "https": ("a URL that begins with https://", rf"https://([!-.0-?A-~]+@)?{_HOST}*(:[0-9]+)?([/?#][!-~]*)?"),
    # SNS refuses a FIFO queue (its name ends with .fifo). Source: Amazon SNS developer guide, Message delivery for FIFO
    # topics: those go with FIFO topics, which have no e-mail.
    "sqs": (
        "the ARN of an SQS queue that is no FIFO queue",
        r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}",
    ),
}
"""What the endpoint of each SNS protocol is, in words and as a pattern."""

_LOG_DAYS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Source: Amazon CloudWatch Logs API reference, PutRetentionPolicy."""


class InvalidSettings(Exception):
    """The settings break their rules: a sentence each, with the path of the key, the rule and the value."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n- ".join([f"The settings ({source}) are wrong:", *self.problems]))


def _only(allows: Callable[[Any], bool]) -> AfterValidator:
    """Refuse other values; the message is the Rule's."""

    def check(value: object) -> object:
        if not allows(value):
            raise ValueError
        return value

    return AfterValidator(check)


StackName = Annotated[
    str,
    Rule(
        "a CloudFormation stack name, such as StartImageBuilder: letters, digits and '-', a letter first",
        r"[A-Za-z][A-Za-z0-9-]{0,127}",
    ),
]
# Of the 1,024 characters of an alarm's description. Source: Amazon CloudWatch API reference, PutMetricAlarm.
RunbookUrl = Annotated[
    str,
    Field(max_length=600),
    Rule(f"{PROTOCOLS['https'][0]}, of at most 600 characters", PROTOCOLS["https"][1]),
]
# Source: IAM API reference, CreatePolicy, PolicyName and Path.
Boundary = Annotated[
    str,
    Field(max_length=639),
    Rule(
        "the name of an IAM managed policy of the account, with its path if it has one, such as team/Boundary: no '/' "
        "before it",
        r"([A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,128}",
    ),
]
# Not an alias, which log groups do not take. Source: Amazon CloudWatch Logs API reference, AssociateKmsKey.
EncryptionKey = Annotated[
    Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]{36}$")]
    | Annotated[bool, _only(bool)],
    Rule("the ARN of a KMS key, or true for a key of the stack's own"),
]
# Those that fit alarms on these metrics. Source: Amazon CloudWatch API reference, PutMetricAlarm, AlarmActions.
AlarmAction = Annotated[
    str,
    Rule(
        "the ARN of an SNS topic that is no FIFO topic, a Lambda function, or an action of Systems Manager",
        r"arn:aws[a-z-]*:(sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"
        r"|lambda:[a-z0-9-]+:[0-9]{12}:function:[A-Za-z0-9_-]{1,64}(:[A-Za-z0-9$_-]{1,128})?"
        r"|ssm:[a-z0-9-]+:[0-9]{12}:opsitem:[1-4](#CATEGORY=[A-Za-z]+)?"
        r"|ssm-incidents::[0-9]{12}:response-plan/[A-Za-z0-9_-]{1,200})",
    ),
]
LogDays = Annotated[
    int,
    # Not a Literal, which takes true for 1.
    _only(lambda days: days in _LOG_DAYS),
    Rule(f"one of {', '.join(map(str, _LOG_DAYS))}"),
    Field(json_schema_extra={"enum": [*_LOG_DAYS]}),
]
_TAG_TEXT = r"[\w .:/=+@-]*"
# Source: AppStream 2.0 API reference, TagResource; AWS CloudFormation API reference, Tag.
TagKey = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=f"^{_TAG_TEXT}$"),
    _only(lambda key: not key.lower().startswith("aws:")),
    Rule("a tag key: 1 to 128 letters, digits, spaces or '.:/=+@_-', not beginning with aws:"),
]
TagValue = Annotated[str, Field(max_length=256), Rule("a tag value of up to 256 such characters", _TAG_TEXT)]
StackTagValue = Annotated[
    str, Field(min_length=1, max_length=256), Rule("a tag value of 1 to 256 such characters", _TAG_TEXT)
]
NamePattern = Annotated[str, Rule("the name of an image builder, * for any characters", r"[A-Za-z0-9_.*-]{1,101}")]


class Subscriber(Strict):
    """Where messages for the operators go."""

    protocol: Annotated[Literal["email", "https", "sqs"], Rule(f"one of {', '.join(PROTOCOLS)}")]
    endpoint: Annotated[str, Rule("a string")] = Field(
        description="; ".join(f"for {name} {rule}" for name, (rule, _) in PROTOCOLS.items())
    )

    @field_validator("endpoint")
    @classmethod
    def _fits_the_protocol(cls, value: str, info: ValidationInfo) -> str:
        rule, pattern = PROTOCOLS.get(info.data.get("protocol", ""), ("", r"(?s).*"))
        if not re.fullmatch(pattern, value):
            raise broken(rule)
        return value


class Tag(Strict):
    """A resource tag."""

    key: TagKey
    value: TagValue


class ImageBuilders(Strict):
    """Which image builders this deployment may start and stop: those of these names, with this tag if one is given."""

    names: list[NamePattern] = Field(["*"], min_length=1)
    tag: Tag | None = None

    @model_validator(mode="after")
    def _fit_into_a_policy(self) -> Self:
        # The longest partition and Region that AppStream has.
        arn = "arn:aws-us-gov:appstream:us-gov-west-1:123456789012:image-builder/"
        tag = {f"aws:ResourceTag/{self.tag.key}": self.tag.value} if self.tag else {}
        statement = {
            "Action": "appstream:StartImageBuilder",
            "Condition": {"StringEquals": tag},
            "Effect": "Allow",
            "Resource": [f"{arn}{name}" for name in self.names],
        }
        # Of the 6,144 characters of a managed policy, into which the CDK puts what a role's own has no room for.
        # Source: IAM user guide, IAM and AWS STS quotas.
        if len(written(statement)) > 5_800:
            raise problem("must fit into an IAM policy: name fewer, with * for what differs")
        return self


class Settings(Strict):
    """What a deployment can choose."""

    stack_name: StackName = Field(
        description="the CloudFormation stack; with another name, a second deployment stands beside the first"
    )
    subscribers: list[Subscriber] = Field(
        [], description='who gets the messages: a list of `{"protocol": "email", "endpoint": "ops@example.com"}`'
    )
    chat: TrueOrFalse = Field(
        False,
        description="whether `https` subscribers get messages in the form that Amazon Q Developer in chat applications "
        "(formerly AWS Chatbot) shows in a channel",
    )
    runbook_url: RunbookUrl = Field(
        "", description="where you publish docs/runbook.md: messages and alarms link to its sections"
    )
    image_builders: ImageBuilders = Field(
        ImageBuilders(names=["*"]),
        description='which may be started and stopped: `{"names": ["golden-*"], "tag": {"key": "Start", "value": '
        '"yes"}}`, either or both; `*` stands for any characters',
    )
    permissions_boundary: Boundary | None = Field(
        None, description="the name of an IAM managed policy that bounds every role"
    )
    schedules: list[Schedule] = Field([], description="what starts by itself at a time")
    # Each adds a condition to the policy of the queue for dead letters, which has one and may have 10. Source: Amazon
    # SQS developer guide, Policy quotas.
    triggers: list[Trigger] = Field([], max_length=9, description="what starts by itself on an event")
    event_bus: Bus = Field("default", description="name or ARN of the event bus for the results of starts")
    encryption_key: EncryptionKey | None = Field(
        None, description="the KMS key of log groups and queues: its ARN, or `true` for a key of the stack's own"
    )
    second_alarm_action: AlarmAction | None = Field(
        None, description="the ARN of what alarms call beside the topic, such as a topic without this one's key"
    )
    log_retention_days: LogDays = Field(90, description="after how many days CloudWatch Logs deletes log events")
    keep_logs: TrueOrFalse = Field(False, description="whether log groups stay when the stack is deleted")
    # Source: AWS CloudFormation API reference, CreateStack.
    tags: dict[TagKey, StackTagValue] = Field(
        {}, max_length=50, description="tags of the stack and so of its resources"
    )

    @classmethod
    def from_context(cls, context: Mapping[str, Any]) -> Self:
        """The settings of a CDK app, which stand in its context under `settings` or in settings.json, not beside it.

        Raises:
            InvalidSettings: naming every problem.
        """
        keys = {*_keys(cls), "settings"}
        problems = [
            f"{key}: the context has no such key; "
            + ("it belongs into settings.json" if key == close else f"did you mean {close}?")
            for key in context
            if key != "settings" and (close := _close(key, keys))
        ]
        if problems:
            raise InvalidSettings("CDK context", problems)
        return cls.load(context.get("settings"))

    @classmethod
    def load(cls, given: object = None, *, now: datetime | None = None) -> Self:
        """Read and check the settings; schedules that have expired now are left out.

        Args:
            given: the settings as an object or as JSON, or the path of a file that holds them; None: settings.json.
            now: None: the time of this call.

        Raises:
            InvalidSettings: naming every problem.
        """
        source, read = _read(given)
        if not isinstance(read, dict):
            raise InvalidSettings(source, [f"must be a JSON object, not {_quoted(read)}"])
        values = {key: value for key, value in read.items() if key != "$schema"}
        try:
            return cls.model_validate(values, context=now or datetime.now(UTC))
        except ValidationError as error:
            raise InvalidSettings(source, _sentences(error, values)) from None

    @field_validator("subscribers", "schedules", "triggers")
    @classmethod
    def _are_distinct(cls, value: list[Any]) -> list[Any]:
        names = [f"{each.protocol} {each.endpoint}" if isinstance(each, Subscriber) else each.name for each in value]
        for name in names:
            if names.count(name) > 1:
                raise problem(f"there are two of {_quoted(name)}")
        return value

    @field_validator("schedules")
    @classmethod
    def _skip_expired(cls, value: list[Schedule], info: ValidationInfo) -> list[Schedule]:
        return [left for schedule in value if (left := schedule.still_to_come(cast(datetime, info.context)))]

    @field_validator("tags")
    @classmethod
    def _differ_in_more_than_case(cls, value: dict[str, str]) -> dict[str, str]:
        # Of the resources, IAM roles compare tag keys so. Source: IAM user guide, Rules for tagging.
        if len({key.lower() for key in value}) < len(value):
            raise problem("two keys differ only in upper and lower case, which IAM roles do not take")
        return value

    @model_validator(mode="after")
    def _fit_into_a_stack(self) -> Self:
        # Of a stack's 500 resources (AWS CloudFormation user guide, Quotas). A trigger is a rule, a role and a policy.
        if len(self.subscribers) + len(self.schedules) + 3 * len(self.triggers) > 300:
            raise problem(
                "subscribers, schedules, triggers: must fit into one CloudFormation stack: together at most 300, a "
                "trigger counting as three; put the others into a second deployment"
            )
        return self

    def warnings(self, now: datetime | None = None) -> list[str]:
        """What is allowed, but probably not meant."""
        return [
            f"schedules ({schedule.name}): EventBridge Scheduler skips {moment:%Y-%m-%d %H:%M}, as clocks in "
            f"{schedule.timezone} do for daylight saving time: choose another hour, or UTC"
            for schedule in self.schedules
            if (moment := schedule.skipped(now or datetime.now(UTC)))
        ]


def reference(model: type[Strict] = Settings) -> str:
    """The keys of an object of the settings, with default and purpose: a table in Markdown."""
    rows = (f"| `{key}` | {_default(field)} | {field.description} |" for key, field in _keys(model).items())
    return "\n".join(["| key | default | |", "|---|---|---|", *rows])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    value = value.model_dump(exclude_none=True) if isinstance(value, Strict) else value
    return "none" if value in (None, "", [], {}) else f"`{json.dumps(value).strip(chr(34))}`"


class _ForEditors(GenerateJsonSchema):
    """Without the titles, which repeat the keys, and without null, which no key takes."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        generated = super().default_schema(schema)
        return generated if generated.get("default", "") is not None else self.generate_inner(schema["schema"])


def schema() -> dict[str, Any]:
    """The settings as JSON Schema, for editors: what it can express of the rules."""
    generated = Settings.model_json_schema(schema_generator=_ForEditors)
    generated["properties"] = {"$schema": {"type": "string"}, **generated["properties"]}
    return {"$schema": GenerateJsonSchema.schema_dialect, **generated}


def _keys(model: type[Strict]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


_MODELS: Mapping[str, type[Strict]] = {
    "": Settings,
    "subscribers": Subscriber,
    "imageBuilders": ImageBuilders,
    "tag": Tag,
    "schedules": Schedule,
    "triggers": Trigger,
}
"""By the last key on the path to an object."""


def _read(given: object) -> tuple[str, object]:
    """Where the settings are from, and what is there."""
    if given is not None and not isinstance(given, str):
        return "CDK context", given
    source = FILE.name if given is None else given
    try:
        if source.lstrip().startswith(("{", "[")):
            source, text = "CDK context", source
        else:
            text = Path(FILE if given is None else given).read_text("utf-8")
        return source, json.loads(text, object_pairs_hook=_once_each, parse_constant=_no_constant)
    except OSError as error:
        raise InvalidSettings(source, [f"cannot be read: {error.strerror}"]) from None
    except (ValueError, RecursionError) as error:
        raise InvalidSettings(source, [f"must be JSON: {error}"]) from None


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # The last one would win, in silence.
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{max(keys, key=keys.count)!r} is there twice")
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _sentences(error: ValidationError, values: Mapping[str, Any]) -> Iterator[str]:
    for details in error.errors(include_url=False):
        kind, context, path = details["type"], details.get("ctx", {}), details["loc"]
        if kind == "extra_forbidden":
            keys = _keys(_MODELS[next((key for key in reversed(path[:-1]) if isinstance(key, str)), "")])
            close = _close(str(path[-1]), keys)
            text = "there is no such key; " + (f"did you mean {close}?" if close else f"there are {', '.join(keys)}")
        elif kind == "missing":
            text = "is required"
        elif kind == "problem":
            text = context["text"]
        else:
            why = f": {context['why']}" if context.get("why") else ""
            text = f"must {_RULES[kind].format(**context)}, not {_quoted(details['input'])}{why}"
        # pydantic adds this where a key of `tags` breaks its rule.
        place = _place(path[:-1] if kind == "rule" and path[-1] == "[key]" else path, values)
        yield f"{place}: {text}" if place else text


_RULES = {
    "rule": "be {rule}",
    "model_type": "be an object",
    "dict_type": "be an object",
    "list_type": "be a list",
    "too_long": "have at most {max_length}",
    "too_short": "have at least {min_length}; leave the key out for all",
}
"""By pydantic's type of error: all that these models can give."""


def _place(path: Sequence[str | int], values: Any) -> str:
    """A path as a text, with the name of what has one."""
    place = ""
    for key in path:
        try:
            values = values[key]
        except (LookupError, TypeError):
            values = None
        name = values.get("name") if isinstance(values, dict) and isinstance(key, int) else None
        named = f" ({_quoted(name)[1:-1]})" if isinstance(name, str) else ""
        is_plain = isinstance(key, str) and re.fullmatch(r"[!-~]{1,128}", key)
        place += f".{key}" if is_plain else f"[{_quoted(key)}]{named}"
    return place.removeprefix(".")


def _close(key: str, keys: Iterable[str]) -> str:
    """The key that was probably meant; "": none is close."""
    lower = {each.lower(): each for each in keys}
    return "".join(lower[found] for found in difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.8))


def _quoted(value: object) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 100 else f"{text[:100]}..."
