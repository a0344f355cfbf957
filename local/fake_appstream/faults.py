"""Scripted faults: which calls they apply to, how often, and what happens to those calls."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from local.fake_appstream.model import ServiceError

ANY = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
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

    @classmethod
    def parse(cls, settings: Mapping[str, Any]) -> "Fault":
        """A fault from JSON."""
        error = settings.get("error")
        return cls(**{**settings, "error": error and ServiceError(**error)})

    def matches(self, operation: str, names: Collection[str]) -> bool:
        """Whether it is about such calls."""
        return self.operation in (ANY, operation) and (self.name == ANY or self.name in names)

    def applies(self, nth: int) -> bool:
        """Whether it applies to the nth call that matches it; the first is 1."""
        round_, rest = divmod(nth - self.skip - 1, self.every)
        return round_ >= 0 and rest == 0 and (self.times is None or round_ < self.times)


class Faults:
    """The faults, in order."""

    def __init__(self) -> None:
        self._faults: list[tuple[Fault, int]] = []

    def add(self, fault: Fault) -> None:
        """Add a fault after the others."""
        self._faults.append((fault, 0))

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def next_for(self, operation: str, names: Collection[str]) -> Fault:
        """The first fault that applies to a call, or one that changes nothing. Counts the call."""
        for place, (fault, seen) in enumerate(self._faults):
            if fault.matches(operation, names):
                self._faults[place] = (fault, seen + 1)
                if fault.applies(seen + 1):
                    return fault
        return Fault()
