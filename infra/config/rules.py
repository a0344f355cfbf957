"""Rules for values of the configuration: each gives the value, or says the key and the rule that it breaks."""

import json
import re
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any


class InvalidConfiguration(ValueError):
    """A value in cdk.json's context (or given with `cdk -c`) breaks its rule. The message names the key."""


def text(where: str, value: Any, pattern: str, rule: str) -> str:
    """The value as a text that matches the pattern; the rule says that in words."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise InvalidConfiguration(f"{where}: must be {rule}, not {value!r}")
    return value


def one_of(where: str, value: Any, choices: Collection[str]) -> str:
    """The value as one of these texts."""
    if not isinstance(value, str) or value not in choices:
        raise InvalidConfiguration(f"{where}: must be one of {', '.join(choices)}, not {value!r}")
    return value


def from_command_line(value: Any) -> Any:
    """A list or an object that came as text; anything else as it is."""
    # `cdk -c` gives every value as text.
    if isinstance(value, str):
        with suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def listed(where: str, value: Any) -> list[Any]:
    """The value as a list; nothing is an empty one."""
    value = [] if value is None else from_command_line(value)
    if not isinstance(value, list):
        raise InvalidConfiguration(f"{where}: must be a list, not {value!r}")
    return value


def boolean(where: str, value: Any) -> bool:
    """The value as true or false; nothing is false."""
    # `cdk -c` gives every value as text.
    values = {None: False, False: False, True: True, "false": False, "true": True}
    if not isinstance(value, str | bool | None) or value not in values:
        raise InvalidConfiguration(f"{where}: must be true or false, not {value!r}")
    return values[value]


def table(where: str, value: Any, *, required: Collection[str] = (), optional: Collection[str] = ()) -> dict[str, Any]:
    """The value as an object that has these keys and no others, none of them null."""
    if not isinstance(value, dict):
        raise InvalidConfiguration(f"{where}: must be an object, not {value!r}")
    for key in required:
        if key not in value:
            raise InvalidConfiguration(f"{where}.{key}: is required")
    for key, member in value.items():
        if key not in {*required, *optional}:
            keys = ", ".join([*required, *optional])
            raise InvalidConfiguration(f"{where}.{key}: there is no such key; there are {keys}")
        if member is None:
            # Not the default: whoever writes null may mean none, or off.
            raise InvalidConfiguration(f"{where}.{key}: must not be null; without the key, it has its default")
    return value


def unique(where: str, names: Iterable[str]) -> None:
    """Each name once."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise InvalidConfiguration(f"{where}: there are two of {name!r}")
        seen.add(name)


def json_length(where: str, value: Any) -> int:
    """How long the value is as JSON, in bytes, as a template holds it."""
    try:
        return len(json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode())
    except (ValueError, RecursionError):
        raise InvalidConfiguration(f"{where}: must be what JSON can hold: no NaN, no half characters") from None
