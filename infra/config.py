"""The deployment's configuration: cdk.json's context, checked at synth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, get_type_hints

from infra.rules import InvalidConfiguration, boolean, listed, text
from infra.trigger_config import Schedule, Trigger, event_bus, schedules, triggers


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a subscriber is reached: the rule for its endpoint, in words and as a pattern."""

    rule: str
    pattern: str


PROTOCOLS = {
    "email": Protocol("an e-mail address", r"[^@\s]+@[^@\s]+"),
    "https": Protocol("a URL that begins with https://", r"https://\S+"),
    "sqs": Protocol("the ARN of an SQS queue", r"arn:[a-z-]+:sqs:[a-z0-9-]+:\d{12}:[\w.-]+"),
}


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who is told how starts end: an SNS protocol, one of `PROTOCOLS`, and its endpoint."""

    protocol: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class ImageBuilders:
    """Which image builders this deployment may start: those of certain names and, with a tag, only those that carry it.

    Attributes:
        names: of image builders; `*` in them stands for any characters.
        tag: key and value of a resource tag, or None.
    """

    names: tuple[str, ...] = ("*",)
    tag: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key of cdk.json's context; its default and what it is for, in Markdown."""

    name: str
    default: str
    purpose: str


@dataclass(frozen=True, slots=True)
class Config:
    """What a deployment can choose. `reference` lists the keys for people."""

    stack_name: Annotated[
        str,
        Key(
            "stackName",
            "`StartImageBuilder`",
            "the CloudFormation stack; with another name, a second deployment stands beside the first",
        ),
    ]
    subscribers: Annotated[
        tuple[Subscriber, ...],
        Key(
            "subscribers",
            "none",
            'who is told: a list of `{"protocol": ..., "endpoint": ...}`; the endpoint is for '
            + ", for ".join(f"`{name}` {protocol.rule}" for name, protocol in PROTOCOLS.items()),
        ),
    ] = ()
    chat: Annotated[
        bool,
        Key(
            "chat",
            "`false`",
            "whether `https` subscribers get messages in the form that Amazon Q Developer in chat applications "
            "(formerly AWS Chatbot) shows in a channel",
        ),
    ] = False
    runbook_url: Annotated[
        str, Key("runbookUrl", "none", "where you publish docs/runbook.md: messages and alarms link to its sections")
    ] = ""
    image_builders: Annotated[
        ImageBuilders,
        Key(
            "imageBuilders",
            "all",
            'which may be started and stopped: `{"names": ["golden-*"], "tag": {"key": "Start", "value": "yes"}}`, '
            "either or both; `*` stands for any characters",
        ),
    ] = ImageBuilders()
    permissions_boundary: Annotated[
        str | None, Key("permissionsBoundary", "none", "the name of an IAM managed policy that bounds every role")
    ] = None
    schedules: Annotated[
        tuple[Schedule, ...],
        Key("schedules", "none", "what starts by itself at a time: [Schedules](start.md#schedules)"),
    ] = ()
    triggers: Annotated[
        tuple[Trigger, ...],
        Key("triggers", "none", "what starts by itself on an event: [Events](start.md#events)"),
    ] = ()
    event_bus: Annotated[
        str,
        Key(
            "eventBus",
            "`default`",
            "name or ARN of the event bus where each end is announced: [Afterwards](start.md#afterwards)",
        ),
    ] = "default"

    @classmethod
    def from_context(cls, get: Callable[[str], Any]) -> "Config":
        """Read the context.

        Args:
            get: gives the value of a context key, or None: an app's `node.try_get_context`.

        Raises:
            InvalidConfiguration: naming the key and the rule.
        """
        return cls(
            stack_name=text(
                "stackName",
                get("stackName"),
                r"[A-Za-z][A-Za-z0-9-]{0,127}",
                "a CloudFormation stack name, such as StartImageBuilder: letters, digits and '-', a letter first",
            ),
            subscribers=tuple(
                _subscriber(f"subscribers[{index}]", entry)
                for index, entry in enumerate(listed("subscribers", get("subscribers") or []))
            ),
            chat=boolean("chat", get("chat")),
            runbook_url=text("runbookUrl", get("runbookUrl") or "", r"(https://\S+)?", PROTOCOLS["https"].rule),
            image_builders=_image_builders("imageBuilders", get("imageBuilders") or {}),
            permissions_boundary=text(
                "permissionsBoundary",
                get("permissionsBoundary") or "",
                r"([\w+=,.@/-]{1,600})?",
                "the name of an IAM managed policy of the account, with its path if it has one",
            )
            or None,
            schedules=schedules("schedules", get("schedules") or []),
            triggers=triggers("triggers", get("triggers") or []),
            event_bus=event_bus("eventBus", get("eventBus") or "default"),
        )


def reference() -> str:
    """Every context key with its default and purpose: a table in Markdown."""
    keys = [hint.__metadata__[0] for hint in get_type_hints(Config, include_extras=True).values()]
    rows = (f"| `{key.name}` | {key.default} | {key.purpose} |" for key in keys)
    return "\n".join(["| key | default | |", "|---|---|---|", *rows])


def _subscriber(where: str, entry: Any) -> Subscriber:
    if not isinstance(entry, dict) or set(entry) != {"protocol", "endpoint"}:
        raise InvalidConfiguration(f'{where}: must be {{"protocol": ..., "endpoint": ...}}, not {entry!r}')
    protocol = entry["protocol"]
    if protocol not in PROTOCOLS:
        raise InvalidConfiguration(f"{where}.protocol: must be one of {', '.join(PROTOCOLS)}, not {protocol!r}")
    kind = PROTOCOLS[protocol]
    return Subscriber(protocol, text(f"{where}.endpoint", entry["endpoint"], kind.pattern, kind.rule))


def _image_builders(where: str, entry: Any) -> ImageBuilders:
    if not isinstance(entry, dict) or not set(entry) <= {"names", "tag"}:
        raise InvalidConfiguration(f'{where}: must be {{"names": [...], "tag": {{...}}}}, not {entry!r}')
    names = listed(f"{where}.names", entry.get("names") or ["*"])
    rule = "the name of an image builder, with * for any characters"
    patterns = tuple(
        text(f"{where}.names[{index}]", name, r"[A-Za-z0-9_.*-]{1,101}", rule) for index, name in enumerate(names)
    )
    tag = entry.get("tag")
    if tag is None:
        return ImageBuilders(patterns)
    if not isinstance(tag, dict) or set(tag) != {"key", "value"}:
        raise InvalidConfiguration(f'{where}.tag: must be {{"key": ..., "value": ...}}, not {tag!r}')
    # Source: AppStream 2.0 API reference, TagResource.
    key = text(f"{where}.tag.key", tag["key"], r"(?!aws:)[\w .:/=+@-]{1,128}", "a tag key of 1 to 128 characters")
    value = text(f"{where}.tag.value", tag["value"], r"[\w .:/=+@-]{0,256}", "a tag value of up to 256 characters")
    return ImageBuilders(patterns, (key, value))
