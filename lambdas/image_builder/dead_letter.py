"""A start that a schedule or an event could not deliver: read from its dead letter."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_MAX_REQUEST = 110_000
"""Characters of a request that are shown: a fleet of 1,000 has no more. A message to SNS has 262,144 bytes at most.
Source: Amazon SNS API reference, Publish."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What a person has to know about a start that never came about.

    Attributes:
        kind: "Schedule" or "Event rule".
        service: that could not deliver it.
        name: of the schedule or the rule.
        arn: of it.
        workflow: ARN of the alias that was to be started.
        error: as the service names it.
        message: what the service says of it.
        retries: how often it tried again; empty where the service does not say.
        request: what was to be delivered, in one line.
    """

    kind: str
    service: str
    name: str
    arn: str
    workflow: str
    error: str
    message: str
    retries: str
    request: str


def read_dead_letter(record: Mapping[str, Any]) -> DeadLetter:
    """Read a message of the queue, as Lambda hands it on.

    Sources: EventBridge Scheduler user guide, Configuring a dead-letter queue; Amazon EventBridge user guide, Using
    dead-letter queues to process undelivered events.
    """
    said = {name: each.get("stringValue", "") for name, each in record.get("messageAttributes", {}).items()}
    scheduled = "SCHEDULE_ARN" in said
    arn = said.get("SCHEDULE_ARN") or said.get("RULE_ARN") or "an unknown source"
    return DeadLetter(
        kind="Schedule" if scheduled else "Event rule",
        service="EventBridge Scheduler" if scheduled else "EventBridge",
        name=arn.rpartition("/")[2],
        arn=arn,
        workflow=said.get("TARGET_ARN", ""),
        error=said.get("ERROR_CODE") or "Unknown",
        message=said.get("ERROR_MESSAGE") or "No message was given.",
        retries=said.get("RETRY_ATTEMPTS", "").removeprefix("0"),
        request=_cut(_one_line(record.get("body", ""))),
    )


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_REQUEST else f"{text[:_MAX_REQUEST]}... (cut: {len(text)} characters)"


def _one_line(text: str) -> str:
    """A text that cannot look like a part of the message it is shown in."""
    try:
        return json.dumps(json.loads(text))
    except (ValueError, RecursionError):
        return json.dumps(text)
