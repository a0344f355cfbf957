"""The life of an image builder: pure, immutable, and derived from the time. No thread and no timer moves it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from local.fake_appstream.model import ShapeError, conform, image_builder_shape
from local.fake_appstream.validation import Refused, is_number, must, table

ACCOUNT = "000000000000"
DEFAULT_IMAGE = "AppStream-WinServer2022-06-17-2025"
IMAGE_AGENT = "05-08-2025"
"""The agent version that images carry."""
LATEST_AGENT = "09-10-2025"
"""What LATEST resolves to."""
_PASSING = ("StateChangeReason", "ImageBuilderErrors", "NetworkAccessConfiguration")
"""What does not outlive the life that it belongs to."""


@dataclass(frozen=True, slots=True)
class Durations:
    """How long the states last, in simulated seconds.

    Attributes:
        pending: a start takes 5 to 25 minutes; 412 s is an everyday one.
        updating_agent: comes on top where a start asks for an agent version.
        stopping: not documented.
        deleting: not documented.
        network_interface: how long after RUNNING the network interface shows; negative: before.

    Raises:
        Refused: one is not a number, or negative where it may not be.
    """

    pending: float = 412.0
    updating_agent: float = 120.0
    stopping: float = 180.0
    deleting: float = 120.0
    network_interface: float = 0.0

    def __post_init__(self) -> None:
        for name in ("pending", "updating_agent", "stopping", "deleting"):
            must(is_number(getattr(self, name), 0), f"durations.{name}", "a number of at least 0", getattr(self, name))
        must(is_number(self.network_interface), "durations.network_interface", "a number", self.network_interface)

    def changed(self, settings: object) -> "Durations":
        """These with some replaced. Raises: Refused: naming the field and the rule."""
        return replace(self, **table("durations", settings, [field.name for field in fields(self)]))


@dataclass(frozen=True, slots=True)
class Stage:
    """A state and how long it lasts, in simulated seconds; None: until something is done to the builder.

    The state may be one that AppStream does not have.
    """

    state: str
    seconds: float | None = None

    def __post_init__(self) -> None:
        must(isinstance(self.state, str) and self.state != "", "state", "a string of at least 1 character", self.state)
        if self.seconds is not None:
            must(is_number(self.seconds, 0), "seconds", "null or a number of at least 0", self.seconds)


@dataclass(frozen=True, slots=True)
class Life:
    """What becomes of a builder from some moment on.

    Attributes:
        stages: in order; the builder is gone after the last one, unless that lasts for ever.
        at_end: members of the ImageBuilder shape that show once the last stage is reached.
    """

    stages: tuple[Stage, ...]
    at_end: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        must(bool(self.stages), "stages", "at least one [state, seconds]", list(self.stages))
        for stage in self.stages[:-1]:
            must(stage.seconds is not None, "seconds", "a number in every stage but the last", None)
        image_builder_members("at_end", self.at_end)

    @classmethod
    def parse(cls, settings: object) -> "Life":
        """A life from {"stages": [[state, seconds], ...], "at_end": {...}}, a list of stages, or one state for ever.

        Raises:
            Refused: naming the field and the rule.
        """
        if isinstance(settings, cls):
            return settings
        if isinstance(settings, str):
            return cls((Stage(settings),))
        if isinstance(settings, Mapping):
            content = table("life", settings, ("stages", "at_end"))
            return cls(_stages(content.get("stages")), image_builder_members("at_end", content.get("at_end")))
        return cls(_stages(settings))

    def place(self, elapsed: float) -> int | None:
        """Which stage it is in after so many seconds; None: it is over."""
        for place, stage in enumerate(self.stages):
            if stage.seconds is None or elapsed < stage.seconds:
                return place
            elapsed -= stage.seconds
        return None

    def seconds_until(self, state: str) -> float | None:
        """How long after its beginning a state is first reached; None: never."""
        elapsed = 0.0
        for stage in self.stages:
            if stage.state == state:
                return elapsed
            elapsed += stage.seconds or 0.0
        return None


LifeSettings = Life | str | Sequence[Any] | Mapping[str, Any]
"""What `Life.parse` takes."""


@dataclass(frozen=True, slots=True)
class ImageBuilder:
    """One image builder. What is done to it makes a new one, so that a change is a change of identity.

    Attributes:
        members: of the ImageBuilder shape, as far as they do not follow from its life.
        life: since something was last done to it.
        since: when that life began, in simulated seconds since the epoch.
        durations: of the states that come.
        next_start: what the next start leads to, instead of the ordinary.
        tags: by key.
    """

    members: Mapping[str, Any]
    life: Life
    since: float
    durations: Durations = Durations()
    next_start: Life | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    def state(self, now: float) -> str | None:
        """Its state; None: it is gone."""
        place = self.life.place(now - self.since)
        return None if place is None else self.life.stages[place].state

    def describe(self, now: float) -> dict[str, Any]:
        """The members of the ImageBuilder shape at a time, timestamps in seconds since the epoch."""
        members = {**self.members, "State": self.state(now), **self._at_end(now)}
        running = self.life.seconds_until("RUNNING")
        if running is not None and now >= self.since + running + self.durations.network_interface:
            members = {**_network_access(members), **members}
        return members

    def start(self, now: float, agent_version: str | None) -> "ImageBuilder":
        """Started: by its script where it has one, which is then spent."""
        if self.next_start is not None:
            return replace(self.lives(now, self.next_start), next_start=None)
        pending, running = Stage("PENDING", self.durations.pending), Stage("RUNNING")
        if agent_version is None:
            return self.lives(now, Life((pending, running)))
        updating = Stage("UPDATING_AGENT", self.durations.updating_agent)
        return self.lives(now, Life((pending, updating, running), agent(agent_version)))

    def stop(self, now: float) -> "ImageBuilder":
        """Stopped."""
        return self.lives(now, Life((Stage("STOPPING", self.durations.stopping), Stage("STOPPED"))))

    def delete(self, now: float) -> "ImageBuilder":
        """Deleted: after a while it is gone."""
        return self.lives(now, Life((Stage("DELETING", self.durations.deleting),)))

    def lives(self, now: float, life: Life) -> "ImageBuilder":
        """Beginning a new life."""
        members = {**self.members, **self._at_end(now)}
        kept = {member: value for member, value in members.items() if member not in _PASSING}
        return replace(self, members={**kept, "ImageBuilderErrors": []}, life=life, since=now)

    def _at_end(self, now: float) -> Mapping[str, Any]:
        place = self.life.place(now - self.since)
        return self.life.at_end if place == len(self.life.stages) - 1 else {}


def new_image_builder(
    name: str, region: str, now: float, request: Mapping[str, Any], durations: Durations
) -> ImageBuilder:
    """A builder as CreateImageBuilder makes it, not yet begun to live: STOPPED.

    Args:
        name: of the builder.
        region: where it is; decides the partition of its ARN.
        now: simulated seconds since the epoch.
        request: CreateImageBuilder's parameters.
        durations: of its states.
    """
    partition = _partition(region)
    image = request.get("ImageArn") or f"arn:{partition}:appstream:{region}::image/{request['ImageName']}"
    taken = {member: value for member, value in request.items() if member in image_builder_shape().members}
    members = {
        "EnableDefaultInternetAccess": False,
        **taken,
        **agent(IMAGE_AGENT),
        "Name": name,
        "Arn": f"arn:{partition}:appstream:{region}:{ACCOUNT}:image-builder/{name}",
        "ImageArn": image,
        "Platform": _platform(image),
        "CreatedTime": now,
        "ImageBuilderErrors": [],
    }
    return ImageBuilder(members, Life((Stage("STOPPED"),)), now, durations, tags=request.get("Tags", {}))


def agent(version: str) -> dict[str, str]:
    """The members that tell of an agent version. `[LATEST]` is how the API page writes `LATEST`."""
    resolved = LATEST_AGENT if version in ("LATEST", "[LATEST]") else version
    return {
        "AppstreamAgentVersion": resolved,
        "LatestAppstreamAgentVersion": "TRUE" if resolved == LATEST_AGENT else "FALSE",
    }


def image_builder_members(field_name: str, members: object) -> dict[str, Any]:
    """Control input as members of the ImageBuilder shape. Enums are not checked: the double can be made to lie.

    Raises:
        Refused: an unknown member, a wrong type, Name, or State, which follows from the life.
    """
    known = image_builder_shape().members
    content = dict(table(field_name, members, [member for member in known if member not in ("Name", "State")]))
    try:
        conformed: dict[str, Any] = conform(content, image_builder_shape())
    except ShapeError as problem:
        raise Refused(f"{field_name}: {problem}") from None
    return conformed


def _stages(stages: object) -> tuple[Stage, ...]:
    if not isinstance(stages, Sequence) or isinstance(stages, str):
        raise Refused(f"stages: must be a list of [state, seconds], not {stages!r}")
    for stage in stages:
        pair = isinstance(stage, Stage) or (isinstance(stage, list | tuple) and len(stage) == 2)
        must(pair, "stages", "a list of [state, seconds]", stage)
    return tuple(stage if isinstance(stage, Stage) else Stage(*stage) for stage in stages)


def _network_access(members: Mapping[str, Any]) -> dict[str, Any]:
    """The network interface in the builder's subnet, the same at every look; none where there is no subnet."""
    subnets = members.get("VpcConfig", {}).get("SubnetIds")
    if not subnets:
        return {}
    digest = hashlib.sha256(f"{members['Arn']} {subnets[0]}".encode()).digest()
    # The first four and the last address of a subnet are AWS's.
    address = f"10.{digest[0]}.{digest[1]}.{4 + digest[2] % 251}"
    return {"NetworkAccessConfiguration": {"EniPrivateIpAddress": address, "EniId": f"eni-{digest.hex()[6:23]}"}}


def _partition(region: str) -> str:
    prefixes = {"cn-": "aws-cn", "us-gov-": "aws-us-gov", "us-isob-": "aws-iso-b", "us-iso-": "aws-iso"}
    return next((partition for prefix, partition in prefixes.items() if region.startswith(prefix)), "aws")


def _platform(image: str) -> str:
    """AppStream's base images tell their platform by name; the default is that of `DEFAULT_IMAGE`."""
    platforms = {
        "WinServer2016": "WINDOWS_SERVER_2016",
        "WinServer2019": "WINDOWS_SERVER_2019",
        "WinServer2025": "WINDOWS_SERVER_2025",
        "AmazonLinux2": "AMAZON_LINUX2",
        "RHEL8": "RHEL8",
        "RockyLinux8": "ROCKY_LINUX8",
    }
    return next((platform for part, platform in platforms.items() if part in image), "WINDOWS_SERVER_2022")
