"""Scripted trouble: which calls it befalls, how often, and what happens to them."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

ANY = "*"


@dataclass(slots=True)
class Fault:
    """One kind of trouble. Exactly one of `error`, `delay`, `drop` and `answer` is given.

    Attributes:
        operation: the operation it befalls, or "*".
        name: the image builder it befalls, or "*".
        times: how many calls it befalls; None: all.
        skip: how many calls it lets pass first.
        every: 2 befalls every second call that would be befallen, and so on.
        error: an error code to answer; modelled or not.
        message: what the error says.
        delay: real seconds until the answer, which is then as ever.
        drop: close the connection without an answer, "before" or "after" the operation took effect.
        answer: members that replace those of the answer.
    """

    operation: str = ANY
    name: str = ANY
    times: int | None = 1
    skip: int = 0
    every: int = 1
    error: str | None = None
    message: str = "Scripted fault."
    delay: float | None = None
    drop: Literal["before", "after"] | None = None
    answer: Mapping[str, Any] | None = None
    _seen: int = 0
    _befallen: int = 0

    def __post_init__(self) -> None:
        """Raises: ValueError: naming the field and the rule."""
        kinds = [kind for kind in ("error", "delay", "drop", "answer") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            raise ValueError(f"a fault is exactly one of error, delay, drop and answer, not {kinds or 'none of them'}")
        if self.drop not in (None, "before", "after"):
            raise ValueError(f'drop: must be "before" or "after", not {self.drop!r}')
        if self.every < 1:
            raise ValueError(f"every: must be at least 1, not {self.every}")

    @classmethod
    def parse(cls, members: Mapping[str, Any]) -> "Fault":
        """A fault from JSON. Raises: ValueError: naming the field and the rule."""
        known = {field.name for field in fields(cls) if not field.name.startswith("_")}
        if unknown := set(members) - known:
            raise ValueError(f"{', '.join(sorted(unknown))}: no such field; the fields are {', '.join(sorted(known))}")
        return cls(**members)

    def befalls(self, operation: str, name: str | None) -> bool:
        """Whether it befalls this call. Counts the call, so ask once for each."""
        if self.operation not in (ANY, operation) or self.name not in (ANY, name):
            return False
        self._seen += 1
        due = self._seen > self.skip and (self._seen - self.skip - 1) % self.every == 0
        if not due or (self.times is not None and self._befallen >= self.times):
            return False
        self._befallen += 1
        return True
