"""What the control interface demands of its input, and how it says so."""

import math
from collections.abc import Collection, Mapping
from typing import Any


class Refused(ValueError):
    """The double refuses control input. The message names the field and the rule."""


def must(holds: bool, field: str, rule: str, value: object) -> None:
    """Refuse a value for which the rule does not hold.

    Raises:
        Refused: naming the field and the rule.
    """
    if not holds:
        raise Refused(f"{field}: must be {rule}, not {value!r}")


def is_number(value: object, least: float = -math.inf) -> bool:
    """Whether a value is a finite number of at least `least`. True and False are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= least


def is_count(value: object, least: int) -> bool:
    """Whether a value is a whole number of at least `least`. True and False are not."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def table(field: str, value: object, allowed: Collection[str] | None = None) -> Mapping[str, Any]:
    """The value as a mapping with no keys but the allowed ones; None is an empty one.

    Raises:
        Refused: it is no mapping, or has another key.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Refused(f"{field}: must be an object, not {value!r}")
    for key in value:
        if allowed is not None and key not in allowed:
            raise Refused(f"{field}: has no {key!r}; it has {', '.join(sorted(allowed))}")
    return value
