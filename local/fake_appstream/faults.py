"""Scripted faults: which calls they apply to, how often, and what happens to those calls."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from local.fake_appstream.model import ServiceError

ANY = "*"


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault. It applies to some of the calls that match its operation and its name.

    Attributes:
        error: what is answered; the operation has no effect.
        delay: real seconds by which the answer is late; the operation has its effect at once.
        drop: the connection closes with no answer, before or after the operation has its effect.
        answer: members that replace those of a successful answer, unchecked; botocore ignores a member that is None.
        operation: its name, or "*".
        name: of the image builder, or "*".
        times: to how many calls it applies; None: to all.
        skip: how many calls it lets pass first.
        every: 1 for every call after those, 2 for the first, third, fifth, and so on.
        seen: how many calls have matched.
    """

    error: ServiceError | None = None
    delay: float = 0.0
    drop: Literal["before", "after"] | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    operation: str = ANY
    name: str = ANY
    times: int | None = None
    skip: int = 0
    every: int = 1
    seen: int = field(default=0, init=False)

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> "Fault":
        """A fault from JSON."""
        error = settings.get("error")
        return cls(**{**settings, "error": error and ServiceError(**error)})

    def applies(self, operation: str, names: Collection[str]) -> bool:
        """Whether it applies to a call, which is about these image builders. Counts the calls that match."""
        if self.operation not in (ANY, operation) or not (self.name == ANY or self.name in names):
            return False
        round_, rest = divmod(self.seen - self.skip, self.every)
        self.seen += 1
        return round_ >= 0 and rest == 0 and (self.times is None or round_ < self.times)
