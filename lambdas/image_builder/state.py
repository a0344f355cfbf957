"""What an answer of AppStream means for a start: the phase of the builder, and what to do about one that failed."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, TypedDict

from lambdas.image_builder.appstream import ImageBuilder


class Phase(StrEnum):
    """What a start does next about a builder; the workflow's Choice goes by it."""

    STOPPED = "Stopped"
    """Can be started, and nothing else starts a builder."""
    TRANSITIONAL = "Transitional"
    """On its way somewhere; no action is possible until it is there."""
    RUNNING = "Running"
    FAILED = "Failed"
    DELETING = "Deleting"


PHASES: Mapping[str, Phase] = {
    "STOPPED": Phase.STOPPED,
    "RUNNING": Phase.RUNNING,
    "FAILED": Phase.FAILED,
    "DELETING": Phase.DELETING,
    "PENDING": Phase.TRANSITIONAL,
    "UPDATING_AGENT": Phase.TRANSITIONAL,
    "REBOOTING": Phase.TRANSITIONAL,
    "UPDATING": Phase.TRANSITIONAL,
    "PENDING_QUALIFICATION": Phase.TRANSITIONAL,
    "PENDING_SYNCING_APPS": Phase.TRANSITIONAL,
    "SYNCING_APPS": Phase.TRANSITIONAL,
    "PENDING_IMAGE_IMPORT": Phase.TRANSITIONAL,
    "STOPPING": Phase.TRANSITIONAL,
    "SNAPSHOTTING": Phase.TRANSITIONAL,
}
"""Every ImageBuilderState that AppStream models. Source: AppStream 2.0 API reference, ImageBuilder, State."""


class Problem(TypedDict):
    """What AppStream reports as wrong with a builder, for a person, and what to do about it."""

    Message: str
    Advice: str


class BuilderStatus(TypedDict):
    """What one look at the builder tells the workflow.

    `Started` is true only where AppStream accepted a StartImageBuilder call within this look. `AgentVersionBefore` is
    the AppstreamAgentVersion that the builder had before that; null where AppStream does not say.
    `ImageBuilder` is every field AppStream returned, JSON-safe: timestamps are ISO 8601 strings in UTC.
    """

    Phase: Phase
    Started: bool
    AgentVersionBefore: str | None
    ImageBuilder: dict[str, Any]
    Problem: Problem


def phase_of(builder: ImageBuilder) -> Phase:
    """The phase of a builder. A state nobody has heard of is waited out: the deadline bounds it."""
    return PHASES.get(builder["State"], Phase.TRANSITIONAL)


def status_of(
    builder: ImageBuilder, request: Mapping[str, Any], *, before: ImageBuilder | None = None
) -> BuilderStatus:
    """What the builder, as AppStream returned it, means for a start or a stop.

    Args:
        builder: as it is now.
        request: that the look is for: a checked Request or StopRequest.
        before: the builder as it was before AppStream accepted its start a moment ago; None where it did not.
    """
    phase = phase_of(builder)
    if before is not None and phase is Phase.STOPPED:
        # The start was accepted: an answer that still says STOPPED must not start it once more.
        phase = Phase.TRANSITIONAL
    if phase is Phase.RUNNING and request.get("RequireNetworkInterface") and not _has_network_interface(builder):
        phase = Phase.TRANSITIONAL
    return {
        "Phase": phase,
        "Started": before is not None,
        "AgentVersionBefore": (before or builder).get("AppstreamAgentVersion"),
        "ImageBuilder": json_safe(builder),
        "Problem": problem_of(builder),
    }


def _has_network_interface(builder: ImageBuilder) -> bool:
    # RUNNING can precede it. Source: AppStream 2.0 API reference, NetworkAccessConfiguration.
    return bool(builder.get("NetworkAccessConfiguration", {}).get("EniPrivateIpAddress"))


def json_safe(value: Any) -> Any:
    """The same value with every timestamp as an ISO 8601 string in UTC, such as 2026-01-31T22:00:00Z."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {key: json_safe(member) for key, member in value.items()}
    if isinstance(value, list):
        return [json_safe(member) for member in value]
    return value


def problem_of(builder: ImageBuilder) -> Problem:
    """What AppStream reports as wrong with a builder, and the advice for each code it names."""
    reason = builder.get("StateChangeReason", {})
    errors = builder.get("ImageBuilderErrors", [])
    reported = [("StateChangeReason", reason.get("Code"), reason.get("Message"))] if reason else []
    reported += [("ImageBuilderErrors", error.get("ErrorCode"), error.get("ErrorMessage")) for error in errors]
    lines = [": ".join(filter(None, [code, message])) for _, code, message in reported]
    advice = dict.fromkeys(advice_for(member, code) for member, code, _ in reported)
    return {
        "Message": f"The image builder is {builder['State']}. {'; '.join(lines) or 'AppStream gives no reason.'}",
        "Advice": " ".join([*(advice or [UNKNOWN_ADVICE]), _then(phase_of(builder))]),
    }


UNKNOWN_ADVICE = "Poll image builder in the AppStream 2.0 console."


def _then(phase: Phase) -> str:
    """What is left to do once the cause is mended."""
    if phase is Phase.FAILED:
        return "A FAILED image builder cannot be started: delete it, and create it anew once this is mended."
    return "Once this is mended, start again."


def advice_for(member: str, code: str | None) -> str:
    """One sentence on what to do about a code of StateChangeReason or ImageBuilderErrors."""
    entry = _advice_table().get(member, {}).get(code or "")
    return entry["Advice"] if entry else UNKNOWN_ADVICE


@cache
def _advice_table() -> dict[str, dict[str, dict[str, str]]]:
    table: dict[str, dict[str, dict[str, str]]] = json.loads(Path(__file__).with_name("advice.json").read_text("utf-8"))
    return table
