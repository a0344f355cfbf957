"""The deployment's configuration: cdk.json's context, checked at synth."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, get_type_hints

from infra.config.event_patterns import Schedule, Trigger, event_bus, schedules, triggers
from infra.config.rules import InvalidConfiguration, boolean, from_command_line, listed, one_of, table, text, unique


@dataclass(frozen=True, slots=True)
class Protocol:
    """How a subscriber is reached: the rule for its endpoint, in words and as a pattern."""

    rule: str
    pattern: str


_HOST = r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)"

PROTOCOLS = {
    "email": Protocol("an e-mail address", rf"[!-?A-~]+@{_HOST}+"),
    # SNS takes a user and a password in the URL.
    "https": Protocol("a URL that begins with https://", rf"https://([!-.0-?A-~]+@)?{_HOST}*(:[0-9]+)?([/?#][!-~]*)?"),
    # SNS refuses a FIFO queue (its name ends with .fifo). Source: Amazon SNS developer guide, Message delivery for FIFO
    # topics: those go with FIFO topics, which have no e-mail.
    "sqs": Protocol(
        "the ARN of an SQS queue that is no FIFO queue", r"arn:aws[a-z-]*:sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}"
    ),
}

MOST_RESOURCES = 300
"""Of a stack's 500, for what the configuration adds. Source: AWS CloudFormation user guide, Quotas."""

MOST_OF_POLICY = 5_800
"""Of the 6,144 characters of a managed policy, for the names of image builders: into such a one the CDK puts what a
role's own has no room for. Source: IAM user guide, IAM and AWS STS quotas."""

_AROUND_NAME = 70
"""Characters of an image builder's ARN in a policy, without its name."""


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
    def from_context(cls, get: Callable[[str], Any], now: datetime | None = None) -> "Config":
        """Read the context.

        Args:
            get: gives the value of a context key, or None: an app's `node.try_get_context`.
            now: what is past, is so at this time; None: at the time of the call.

        Raises:
            InvalidConfiguration: naming the key and the rule.
        """

        def given(key: str, default: Any) -> Any:
            return default if (value := get(key)) is None else value

        config = cls(
            stack_name=text(
                "stackName",
                get("stackName"),
                r"[A-Za-z][A-Za-z0-9-]{0,127}",
                "a CloudFormation stack name, such as StartImageBuilder: letters, digits and '-', a letter first",
            ),
            subscribers=tuple(
                _subscriber(f"subscribers[{index}]", entry)
                for index, entry in enumerate(listed("subscribers", get("subscribers")))
            ),
            chat=boolean("chat", get("chat")),
            runbook_url=text("runbookUrl", given("runbookUrl", ""), r"(https://\S+)?", PROTOCOLS["https"].rule),
            image_builders=_image_builders("imageBuilders", given("imageBuilders", {})),
            # Source: IAM API reference, CreatePolicy, PolicyName and Path.
            permissions_boundary=text(
                "permissionsBoundary",
                given("permissionsBoundary", ""),
                r"((?=.{1,639}$)([A-Za-z0-9+=,.@_-]+/)*[A-Za-z0-9+=,.@_-]{1,128})?",
                "the name of an IAM managed policy of the account, with its path if it has one, such as team/Boundary: "
                "no '/' before it",
            )
            or None,
            schedules=schedules("schedules", get("schedules"), now or datetime.now(UTC)),
            triggers=triggers("triggers", get("triggers")),
            event_bus=event_bus("eventBus", given("eventBus", "default")),
        )
        unique("subscribers", (f"{each.protocol} {each.endpoint}" for each in config.subscribers))
        # A trigger is a rule, a role and its policy.
        if len(config.subscribers) + len(config.schedules) + 3 * len(config.triggers) > MOST_RESOURCES:
            raise InvalidConfiguration(
                "subscribers, schedules, triggers: must fit into one CloudFormation stack: together at most "
                f"{MOST_RESOURCES}, a trigger counting as three; put the others into a second deployment"
            )
        return config


def reference() -> str:
    """Every context key with its default and purpose: a table in Markdown."""
    keys = [hint.__metadata__[0] for hint in get_type_hints(Config, include_extras=True).values()]
    rows = (f"| `{key.name}` | {key.default} | {key.purpose} |" for key in keys)
    return "\n".join(["| key | default | |", "|---|---|---|", *rows])


def _subscriber(where: str, value: Any) -> Subscriber:
    entry = table(where, value, required=("protocol", "endpoint"))
    protocol = one_of(f"{where}.protocol", entry["protocol"], PROTOCOLS)
    kind = PROTOCOLS[protocol]
    return Subscriber(protocol, text(f"{where}.endpoint", entry["endpoint"], kind.pattern, kind.rule))


def _image_builders(where: str, value: Any) -> ImageBuilders:
    entry = table(where, from_command_line(value), optional=("names", "tag"))
    names = listed(f"{where}.names", entry.get("names", ["*"]))
    if not names:
        # No name is not every name.
        raise InvalidConfiguration(f"{where}.names: must have at least one; without the key, it is all")
    rule = "the name of an image builder, with * for any characters"
    patterns = tuple(
        text(f"{where}.names[{index}]", name, r"[A-Za-z0-9_.*-]{1,101}", rule) for index, name in enumerate(names)
    )
    if sum(len(pattern) + _AROUND_NAME for pattern in patterns) > MOST_OF_POLICY:
        raise InvalidConfiguration(f"{where}.names: must fit into an IAM policy: name fewer, with * for what differs")
    if "tag" not in entry:
        return ImageBuilders(patterns)
    tag = table(f"{where}.tag", entry["tag"], required=("key", "value"))
    # Source: AppStream 2.0 API reference, TagResource.
    key = text(f"{where}.tag.key", tag["key"], r"(?!aws:)[\w .:/=+@-]{1,128}", "a tag key of 1 to 128 characters")
    tagged = text(f"{where}.tag.value", tag["value"], r"[\w .:/=+@-]{0,256}", "a tag value of up to 256 characters")
    return ImageBuilders(patterns, (key, tagged))
