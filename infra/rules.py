"""Rules for values of the configuration: each gives the value, or says the key and the rule that it breaks."""

import json
import re
from collections.abc import Collection
from contextlib import suppress
from typing import Any


class InvalidConfiguration(ValueError):
    """A value in cdk.json's context (or given with `cdk -c`) breaks its rule. The message names the key."""


def text(where: str, value: Any, pattern: str, rule: str) -> str:
    """The value as a text that matches the pattern; the rule says that in words."""
    if not isinstance(value, str) or not re.fullmatch(pattern, value):
        raise InvalidConfiguration(f"{where}: must be {rule}, not {value!r}")
    return value


def listed(where: str, value: Any) -> list[Any]:
    """The value as a list; `cdk -c` gives it as JSON text."""
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
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


def table(where: str, value: Any, *, required: Collection[str], optional: Collection[str] = ()) -> dict[str, Any]:
    """The value as an object that has these keys and no others."""
    if not isinstance(value, dict):
        raise InvalidConfiguration(f"{where}: must be an object, not {value!r}")
    for key in required:
        if key not in value:
            raise InvalidConfiguration(f"{where}.{key}: is required")
    for key in value:
        if key not in {*required, *optional}:
            keys = ", ".join([*required, *optional])
            raise InvalidConfiguration(f"{where}.{key}: there is no such key; there are {keys}")
    return value
