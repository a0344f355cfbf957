"""Options of the commands that are fields of a request."""

from typing import Any

from lambdas.image_builder.request import FIELDS


def option(name: str, field: str, text: str) -> Any:
    """The value of an option, checked before anything starts.

    Args:
        name: of the option, as people type it: NAME, STOP_AFTER, MINUTES.
        field: of the request for a start.
        text: the value, as typed.

    Raises:
        ValueError: it breaks the field's rule; the message has the option, the rule and the value.
    """
    value = int(text) if field != "Name" and text.isascii() and text.isdecimal() else text
    if not FIELDS[field].accepts(value):
        raise ValueError(f"{name}: must be {FIELDS[field].rule}, not {text!r}")
    return value
