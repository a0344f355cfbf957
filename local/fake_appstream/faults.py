"""Scripted trouble: which calls it befalls, how often, and what happens to them."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from local.fake_appstream.validation import Refused, is_count, is_number, must, table

ANY = "*"


@dataclass(frozen=True, slots=True)
class Error:
    """Answer an error; the operation does not take effect.

    Attributes:
        code: modelled or not.
        message: for a person.
        status: the HTTP status; None: the model's, or that of the common errors.
    """

    code: str
    message: str = "Scripted fault."
    status: int | None = None

    def __post_init__(self) -> None:
        must(isinstance(self.code, str) and self.code != "", "error.code", "a string", self.code)
        must(isinstance(self.message, str), "error.message", "a string", self.message)
        must(self.status is None or self.status in range(400, 600), "error.status", "null or 400 to 599", self.status)


@dataclass(frozen=True, slots=True)
class Delay:
    """Answer late; the operation takes effect at once, and later rules still apply.

    Attributes:
        seconds: real ones.
    """

    seconds: float

    def __post_init__(self) -> None:
        must(is_number(self.seconds, 0), "delay", "a number of at least 0", self.seconds)


@dataclass(frozen=True, slots=True)
class Drop:
    """Close the connection with no answer, before or after the operation took effect."""

    when: Literal["before", "after"]

    def __post_init__(self) -> None:
        must(self.when in ("before", "after"), "drop", '"before" or "after"', self.when)


@dataclass(frozen=True, slots=True)
class Answer:
    """Replace members of a successful answer by any JSON, unchecked; None takes a member away."""

    members: Mapping[str, Any]

    def __post_init__(self) -> None:
        must(isinstance(self.members, Mapping), "answer", "an object", self.members)


Action = Error | Delay | Drop | Answer


@dataclass(frozen=True, slots=True)
class Fault:
    """A rule. Of the calls that match it, the first `skip` pass; then it befalls every `every`-th, `times` times.

    Attributes:
        action: what happens to a call that it befalls.
        operation: the operation, or "*".
        name: the image builder, or "*".
        times: how many calls; None: no end.
        skip: how many calls pass first.
        every: 1 for each call, 2 for the first, third, fifth, and so on.
    """

    action: Action
    operation: str = ANY
    name: str = ANY
    times: int | None = None
    skip: int = 0
    every: int = 1

    def __post_init__(self) -> None:
        must(isinstance(self.operation, str), "operation", "a string", self.operation)
        must(isinstance(self.name, str), "name", "a string", self.name)
        must(self.times is None or is_count(self.times, 1), "times", "null or a whole number of at least 1", self.times)
        must(is_count(self.skip, 0), "skip", "a whole number of at least 0", self.skip)
        must(is_count(self.every, 1), "every", "a whole number of at least 1", self.every)

    @classmethod
    def parse(cls, settings: object) -> "Fault":
        """A rule from JSON, with its action as `error`, `delay`, `drop` or `answer`.

        Raises:
            Refused: naming the field and the rule.
        """
        matching = [field.name for field in fields(cls) if field.name != "action"]
        content = dict(table("fault", settings, [*_ACTIONS, *matching]))
        actions = [kind for kind in _ACTIONS if kind in content]
        if len(actions) != 1:
            raise Refused(f"fault: must have exactly one of {', '.join(_ACTIONS)}, not {actions or 'none'}")
        return cls(action=_ACTIONS[actions[0]](content.pop(actions[0])), **content)

    def matches(self, operation: str, names: Collection[str]) -> bool:
        """Whether it is about such a call."""
        return self.operation in (ANY, operation) and (self.name == ANY or self.name in names)

    def befalls(self, nth: int) -> bool:
        """Whether it befalls the nth call that matches it; the first is 1."""
        turn, off_turn = divmod(nth - self.skip - 1, self.every)
        return turn >= 0 and off_turn == 0 and (self.times is None or turn < self.times)


@dataclass(frozen=True, slots=True)
class Befallen:
    """What the rules do to one call."""

    action: Error | Drop | Answer | None
    delay: float


class Faults:
    """The rules, in order. The first that befalls a call acts, and the later ones do not see that call."""

    def __init__(self) -> None:
        self._rules: list[tuple[Fault, int]] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Put a rule after the others."""
        with self._lock:
            self._rules.append((fault, 0))

    def clear(self) -> None:
        """Take all rules away."""
        with self._lock:
            self._rules.clear()

    def befall(self, operation: str, names: Collection[str]) -> Befallen:
        """What happens to a call. Counts it, so ask once for each."""
        delay = 0.0
        with self._lock:
            for place, (fault, seen) in enumerate(self._rules):
                if not fault.matches(operation, names):
                    continue
                self._rules[place] = (fault, seen + 1)
                if not fault.befalls(seen + 1):
                    continue
                if not isinstance(fault.action, Delay):
                    return Befallen(fault.action, delay)
                delay += fault.action.seconds
            return Befallen(None, delay)


def _error(settings: object) -> Error:
    content = table("error", settings, [field.name for field in fields(Error)])
    return Error(**{"code": None, **content})


_ACTIONS: dict[str, Any] = {"error": _error, "delay": Delay, "drop": Drop, "answer": Answer}
