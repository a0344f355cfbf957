"""The deployment's settings: settings.json, checked at synth, every problem at once."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema

from infra.config import Strict, must_be, quoted
from infra.config.event_patterns import Bus, Trigger
from infra.config.schedules import Schedule

FILE = Path(__file__).parents[2] / "settings.json"


class InvalidSettings(Exception):
    """The settings break their rules: a sentence each, with the path of the key, the rule and the value."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n- ".join([f"The settings ({source}) are wrong:", *self.problems]))


StackName = Annotated[
    str,
    Field(pattern="^[A-Za-z][A-Za-z0-9-]{0,127}$"),
    must_be("a CloudFormation stack name, such as StartImageBuilder: letters, digits and '-', a letter first"),
]
_EMAIL = r"[!-?A-~]+@[A-Za-z0-9.-]+\.[A-Za-z0-9-]+"
# SNS refuses a FIFO queue (its name ends with .fifo). Source: Amazon SNS developer guide, Message delivery for FIFO
# topics: those go with FIFO topics, which have no e-mail.
_QUEUE = "arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+"
Endpoint = Annotated[
    str,
    Field(pattern=f"^({_EMAIL}|https://[!-~]+|{_QUEUE})$"),
    must_be("an e-mail address, a URL that begins with https://, or the ARN of an SQS queue that is no FIFO queue"),
]
# Of the 1,024 characters of an alarm's description. Source: Amazon CloudWatch API reference, PutMetricAlarm.
RunbookUrl = Annotated[
    str,
    Field(pattern="^https://[!-~]+$", max_length=600),
    must_be("a URL that begins with https://, of at most 600 characters"),
]
# Source: IAM API reference, CreatePolicy, PolicyName and Path.
Boundary = Annotated[
    str,
    Field(pattern="^([A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,128}$"),
    must_be("the name of an IAM managed policy, after its path if it has one, such as team/Boundary"),
]
# Not an alias, which log groups do not take. Source: Amazon CloudWatch Logs API reference, AssociateKmsKey.
_KEY = "^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$"
EncryptionKey = Annotated[
    Annotated[str, Field(pattern=_KEY)] | Literal[True],
    must_be("the ARN of a KMS key, or true for a key of the stack's own"),
]
# Those that fit alarms on these metrics; an alarm cannot publish to a FIFO topic (its name ends with .fifo). Source:
# Amazon CloudWatch API reference, PutMetricAlarm, AlarmActions.
_TOPIC = "sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+"
AlarmAction = Annotated[
    str,
    Field(pattern=f"^arn:aws[a-z-]*:({_TOPIC}|(lambda|ssm|ssm-incidents):[!-~]+)$"),
    must_be("the ARN of an SNS topic that is no FIFO topic, a Lambda function, or an action of Systems Manager"),
]


def _number(value: object) -> object:
    # A Literal takes true for 1.
    if isinstance(value, bool):
        raise ValueError(f"must be a number, not {quoted(value)}")
    return value


# Source: Amazon CloudWatch Logs API reference, PutRetentionPolicy.
LogDays = Annotated[
    Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653],
    BeforeValidator(_number),
]
# Source: AppStream 2.0 API reference, TagResource. In a policy, ${...} would be a variable.
_TAG_TEXT = r"^[\w .:/=+@-]*$"
TagKey = Annotated[
    str,
    Field(min_length=1, max_length=128, pattern=_TAG_TEXT),
    must_be("a tag key: 1 to 128 letters, digits, spaces or '.:/=+@_-'"),
]
TagValue = Annotated[str, Field(max_length=256, pattern=_TAG_TEXT), must_be("a tag value of up to 256 such characters")]
NamePattern = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9_.*-]{1,101}$"),
    must_be("the name of an image builder, * for any characters"),
]


class Subscriber(Strict):
    """Where messages for the operators go."""

    protocol: Literal["email", "https", "sqs"]
    endpoint: Endpoint

    @model_validator(mode="after")
    def _match(self) -> Self:
        begins = {"https": "https://", "sqs": "arn:"}
        found = next((protocol for protocol, begin in begins.items() if self.endpoint.startswith(begin)), "email")
        if found != self.protocol:
            raise ValueError(f"the endpoint {quoted(self.endpoint)} is one of {found}, not of {self.protocol}")
        return self


class Tag(Strict):
    """A resource tag."""

    key: TagKey
    value: TagValue


class ImageBuilders(Strict):
    """Which image builders this deployment may start and stop: those of these names, with this tag if one is given."""

    # With the longest tag, as many of the longest names fit into the 6,144 characters of a managed policy, into which
    # the CDK puts what a role's own has no room for. Source: IAM user guide, IAM and AWS STS quotas.
    names: list[NamePattern] = Field(["*"], min_length=1, max_length=30)
    tag: Tag | None = None


class Settings(Strict):
    """What a deployment can choose."""

    stack_name: StackName = Field(
        description="the CloudFormation stack; with another name, a second deployment stands beside the first"
    )
    subscribers: list[Subscriber] = Field(
        [], description='who gets the messages: a list of `{"protocol": "email", "endpoint": "ops@example.com"}`'
    )
    chat: bool = Field(
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
    schedules: list[Schedule] = Field([], description="starts at fixed times: [keys](start.md#schedules)")
    # Each adds a condition to the policy of the queue for dead letters, which has one and may have 10. Source: Amazon
    # SQS developer guide, Policy quotas.
    triggers: list[Trigger] = Field([], max_length=9, description="starts by events: [keys](start.md#events)")
    event_bus: Bus = Field("default", description="name or ARN of the event bus for the results of starts")
    encryption_key: EncryptionKey | None = Field(
        None, description="the KMS key of log groups and queues: its ARN, or `true` for a key of the stack's own"
    )
    second_alarm_action: AlarmAction | None = Field(
        None,
        description="the ARN of a second alarm action, such as a topic without this stack's KMS key",
    )
    log_retention_days: LogDays = Field(90, description="after how many days CloudWatch Logs deletes log events")
    keep_logs: bool = Field(False, description="whether log groups stay when the stack is deleted")
    tags: dict[str, str] = Field({}, description="tags of the stack and so of its resources")

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
            raise InvalidSettings(source, [f"must be a JSON object, not {quoted(read)}"])
        values = {key: value for key, value in read.items() if key != "$schema"}
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            raise InvalidSettings(source, _sentences(error, values)) from None
        except RecursionError:
            raise InvalidSettings(source, ["must not nest so deeply"]) from None
        schedules = [schedule.still_to_come(now or datetime.now(UTC)) for schedule in settings.schedules]
        return settings.model_copy(update={"schedules": [schedule for schedule in schedules if schedule]})

    @field_validator("subscribers", "schedules", "triggers")
    @classmethod
    def _are_distinct(cls, value: list[Any]) -> list[Any]:
        names = [f"{each.protocol} {each.endpoint}" if isinstance(each, Subscriber) else each.name for each in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"there are two of {quoted(name)}")
        return value

    @model_validator(mode="after")
    def _fit_into_a_stack(self) -> Self:
        # Of a stack's 500 resources (AWS CloudFormation user guide, Quotas). A trigger is a rule, a role and a policy.
        if len(self.subscribers) + len(self.schedules) + 3 * len(self.triggers) > 300:
            raise ValueError(
                "subscribers, schedules, triggers: must be at most 300 together, a trigger counting as three, to fit "
                "into one CloudFormation stack; put the others into a second deployment"
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


def schema() -> dict[str, Any]:
    """The settings as JSON Schema, for editors: what it can express of the rules."""
    generated = Settings.model_json_schema()
    generated["properties"]["$schema"] = {"type": "string"}
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
    source = "CDK context"
    try:
        if given is None:
            source, given = FILE.name, FILE.read_text("utf-8")
        elif isinstance(given, str) and not given.lstrip().startswith("{"):
            source, given = given, Path(given).read_text("utf-8")
        if isinstance(given, str):
            given = json.loads(given, object_pairs_hook=_once_each, parse_constant=_refuse)
        return source, given
    except OSError as error:
        raise InvalidSettings(str(error.filename), [f"cannot be read: {error.strerror}"]) from None
    except (ValueError, RecursionError) as error:
        raise InvalidSettings(source, [f"must be JSON: {error}"]) from None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number that JSON has")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    # The last one would win, in silence.
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise ValueError(f"{max(keys, key=keys.count)!r} is there twice")
    return dict(pairs)


def _sentences(error: ValidationError, values: Mapping[str, Any]) -> Iterator[str]:
    for details in error.errors(include_url=False):
        kind, context, path = details["type"], details.get("ctx", {}), details["loc"]
        if kind == "extra_forbidden":
            keys = _keys(_MODELS[next((key for key in reversed(path[:-1]) if isinstance(key, str)), "")])
            close = _close(str(path[-1]), keys)
            text = "there is no such key; " + (f"did you mean {close}?" if close else f"there are {', '.join(keys)}")
        elif kind == "missing":
            text = "is required"
        elif kind == "value_error":
            text = str(context["error"])
        else:
            text = f"must {_RULES[kind].format(**context)}, not {quoted(details['input'])}"
        place = _place(path, values)
        yield f"{place}: {text}" if place else text


_RULES = {
    "literal_error": "be {expected}",
    "bool_type": "be true or false",
    "string_type": "be a string",
    "string_unicode": "be text, with whole characters",
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
            values = None  # of a key that is missing
        if isinstance(key, str):
            place += f".{key}"
        else:
            place += f"[{key}]"
            if isinstance(values, dict) and "name" in values:
                place += f" ({values['name']})"
    return place.removeprefix(".")


def _close(key: str, keys: Iterable[str]) -> str:
    """The key that was probably meant; "": none is close."""
    lower = {each.lower(): each for each in keys}
    return "".join(lower[found] for found in difflib.get_close_matches(key.lower(), lower, n=1, cutoff=0.8))
