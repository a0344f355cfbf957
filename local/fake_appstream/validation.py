"""How the fake refuses a builder or a fault that a test or the demo asks for."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any


class Refused(ValueError):
    """The settings of a builder or a fault are wrong. The message names the field, the rule and the value."""


def must(holds: bool, field: str, rule: str, value: object) -> None:
    """Check a rule.

    Raises:
        Refused: the rule does not hold.
    """
    if not holds:
        raise Refused(f"{field}: must be {rule}, not {value!r}")


def is_number(value: object, least: float = -math.inf) -> bool:
    """Whether a value is a finite number of at least `least`. True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least


def is_count(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least `least`."""
    return isinstance(value, int) and is_number(value, least)


def arguments(function: Callable[..., Any], settings: object, field: str) -> Mapping[str, Any]:
    """Settings as keyword arguments of a function.

    Raises:
        Refused: they are no JSON object, or the function has no such argument, or needs another.
    """
    must(isinstance(settings, Mapping), field, "an object", settings)
    found: Mapping[str, Any] = settings  # type: ignore[assignment]  # checked above
    try:
        inspect.signature(function).bind(**found)
    except TypeError as problem:
        raise Refused(f"{field}: {problem}; it has {', '.join(inspect.signature(function).parameters)}") from None
    return found
