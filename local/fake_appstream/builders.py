"""Image builders: immutable, with a state that follows from the time alone. No thread and no timer changes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

ARN = "arn:aws:appstream:us-east-1:000000000000:image-builder/"
LATEST_AGENT = "09-10-2025"
"""The agent version that LATEST resolves to."""
ORDINARY: Mapping[str, Any] = {
    "ImageArn": "arn:aws:appstream:us-east-1::image/AppStream-WinServer2022-06-17-2025",
    "VpcConfig": {"SubnetIds": ["subnet-0123456789abcdef0"], "SecurityGroupIds": ["sg-0123456789abcdef0"]},
    "InstanceType": "stream.standard.medium",
    "Platform": "WINDOWS_SERVER_2022",
    "AppstreamAgentVersion": "05-08-2025",
    "LatestAppstreamAgentVersion": "FALSE",
    "EnableDefaultInternetAccess": False,
    "ImageBuilderErrors": [],
}
"""The members of an image builder, besides those that tell it from others."""
DURATIONS = {"pending": 412, "updating_agent": 120, "stopping": 180, "network_interface": 0}
"""Simulated seconds: of states, and from RUNNING until the network interface shows. A start takes 5 to 25 minutes."""
_NETWORK_ACCESS = {"NetworkAccessConfiguration": {"EniPrivateIpAddress": "10.0.0.23", "EniId": "eni-0123456789abcdef0"}}

TimelineSettings = str | Sequence[Any] | Mapping[str, Any]
"""What `Timeline.parse` takes."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The states that an image builder goes through from some moment on.

    Attributes:
        stages: each a state, which may be one that AppStream does not have, and how many simulated seconds it lasts;
            None: until the next operation on the builder. After the last stage the builder is gone.
        at_end: members of the ImageBuilder shape that show in the last stage.
    """

    stages: Sequence[tuple[str, float | None]]
    at_end: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, settings: TimelineSettings) -> "Timeline":
        """A timeline from one state without end, a list of [state, seconds], or {"stages": [...], "at_end": {...}}."""
        if isinstance(settings, Mapping):
            return cls(**settings)
        stages: Sequence[Any] = [(settings, None)] if isinstance(settings, str) else settings
        return cls(stages)

    def stage(self, elapsed: float) -> int | None:
        """The number of the stage after so many seconds, from 0; None: the builder is gone."""
        for number, (_, seconds) in enumerate(self.stages):
            if seconds is None or elapsed < seconds:
                return number
            elapsed -= seconds
        return None

    def seconds_until(self, state: str) -> float | None:
        """How many seconds it takes to reach a state for the first time; None: it never does."""
        elapsed = 0.0
        for each, seconds in self.stages:
            if each == state:
                return elapsed
            elapsed += seconds or 0.0
        return None


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """One image builder. Each operation makes another one, so that a change is a change of identity.

    Attributes:
        members: of the ImageBuilder shape, except those that follow from the timeline.
        timeline: since the last operation.
        since: when that was, in simulated seconds since the epoch.
        durations: as `DURATIONS`.
        next_start: what the next start leads to; None: an ordinary start.
    """

    members: Mapping[str, Any]
    timeline: Timeline
    since: float
    durations: Mapping[str, float]
    next_start: Timeline | None
    tags: Mapping[str, str]

    def state(self, now: float) -> str | None:
        """Its state; None: it is gone."""
        stage = self.timeline.stage(now - self.since)
        return None if stage is None else self.timeline.stages[stage][0]

    def describe(self, now: float) -> dict[str, Any]:
        """The ImageBuilder structure at a time; timestamps in seconds since the epoch."""
        running = self.timeline.seconds_until("RUNNING")
        shows = running is not None and now >= self.since + running + self.durations["network_interface"]
        network = _NETWORK_ACCESS if shows else {}
        return {**network, **self.members, "State": self.state(now), **self._at_end(now)}

    def start(self, now: float, agent_version: str | None) -> "ImageBuilder":
        """The builder after a start."""
        if self.next_start is not None:
            return replace(self._follow(now, self.next_start), next_start=None)
        pending, running = ("PENDING", self.durations["pending"]), ("RUNNING", None)
        if agent_version is None:
            return self._follow(now, Timeline([pending, running]))
        updating = ("UPDATING_AGENT", self.durations["updating_agent"])
        return self._follow(now, Timeline([pending, updating, running], agent(agent_version)))

    def stop(self, now: float) -> "ImageBuilder":
        """The builder after a stop."""
        return self._follow(now, Timeline([("STOPPING", self.durations["stopping"]), ("STOPPED", None)]))

    def _follow(self, now: float, timeline: Timeline) -> "ImageBuilder":
        members = {**self.members, **self._at_end(now), "ImageBuilderErrors": []}
        members.pop("StateChangeReason", None)
        return replace(self, members=members, timeline=timeline, since=now)

    def _at_end(self, now: float) -> Mapping[str, Any]:
        last = self.timeline.stage(now - self.since) == len(self.timeline.stages) - 1
        return self.timeline.at_end if last else {}


def agent(version: str) -> dict[str, str]:
    """The members about an agent version. `[LATEST]` is how the API page writes `LATEST`."""
    resolved = LATEST_AGENT if version in ("LATEST", "[LATEST]") else version
    latest = "TRUE" if resolved == LATEST_AGENT else "FALSE"
    return {"AppstreamAgentVersion": resolved, "LatestAppstreamAgentVersion": latest}
