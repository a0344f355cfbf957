"""Options of the commands that are fields of a request."""

from typing import Any

from cli.account import AccountError
from lambdas.image_builder.request import FIELDS


def option(name: str, field: str, text: str) -> Any:
    """The value of an option that people type as `name`, checked before anything starts.

    Raises:
        AccountError: it breaks the rule of that field of a request; the message has the option, the rule and the value.
    """
    value = int(text) if field != "Name" and text.isascii() and text.isdecimal() else text
    if not FIELDS[field].accepts(value):
        raise AccountError(f"{name}: must be {FIELDS[field].rule}, not {text!r}")
    return value
