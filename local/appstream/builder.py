"""The life of one image builder, derived from the clock: no thread and no timer moves it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

START_SECONDS = 412.0
"""A start takes "up to 15 minutes" in the guide and 5 to 25 as people see it; this is an everyday one."""
AGENT_SECONDS = 120.0
STOP_SECONDS = 180.0
DELETE_SECONDS = 120.0


class Stage(NamedTuple):
    """A state and how long it lasts, in simulated seconds; None: until something is done to the builder."""

    state: str
    seconds: float | None


@dataclass(slots=True)
class ImageBuilder:
    """One image builder.

    Attributes:
        fields: members of the ImageBuilder shape that do not depend on its state.
        stages: its life since something was last done to it; after the last stage it is gone.
        since: when that life began, in simulated seconds since the epoch.
        next_start: what the next start leads to, instead of PENDING and RUNNING.
        at_end: members that show once the scripted start has reached its last stage.
        eni_seconds: how long after RUNNING the network interface shows.
        start_seconds: how long PENDING lasts.
    """

    fields: dict[str, Any]
    stages: Sequence[Stage]
    since: float
    next_start: Sequence[Stage] | None = None
    at_end: Mapping[str, Any] = field(default_factory=dict)
    eni_seconds: float = 0.0
    start_seconds: float = START_SECONDS
    tags: dict[str, str] = field(default_factory=dict)
    _scripted: bool = False

    def state(self, now: float) -> str | None:
        """Its state; None: it is gone."""
        stage, _ = self._stage(now)
        return stage.state if stage else None

    def describe(self, now: float) -> dict[str, Any]:
        """The members of the ImageBuilder shape, as they are now."""
        stage, elapsed = self._stage(now)
        members = {**self.fields, "State": stage.state if stage else "DELETING"}
        if self._scripted and stage is self.stages[-1]:
            members.update(self.at_end)
        if members["State"] == "RUNNING" and elapsed >= self.eni_seconds and "VpcConfig" in members:
            members["NetworkAccessConfiguration"] = {
                "EniPrivateIpAddress": "10.0.0.10",
                "EniId": "eni-0123456789abcdef0",
            }
        return members

    def live(self, now: float, *stages: Stage) -> None:
        """Begin a new life."""
        self.stages, self.since, self._scripted = stages, now, False

    def start(self, now: float, agent_version: str | None) -> None:
        """Begin the life that a start leads to."""
        if self.next_start is not None:
            self.stages, self.since, self._scripted = self.next_start, now, True
            self.next_start = None
        elif agent_version:
            self.fields["AppstreamAgentVersion"] = agent_version
            self.live(
                now,
                Stage("PENDING", self.start_seconds),
                Stage("UPDATING_AGENT", AGENT_SECONDS),
                Stage("RUNNING", None),
            )
        else:
            self.live(now, Stage("PENDING", self.start_seconds), Stage("RUNNING", None))

    def _stage(self, now: float) -> tuple[Stage | None, float]:
        """The stage it is in, and for how long."""
        elapsed = now - self.since
        for stage in self.stages:
            if stage.seconds is None or elapsed < stage.seconds:
                return stage, elapsed
            elapsed -= stage.seconds
        return None, elapsed
