"""The deployment's settings, checked at synth."""

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic.alias_generators import to_camel


class Strict(BaseModel):
    """An object of the settings: it has these keys and no others, and converts nothing (`"true"` is no boolean)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


def must_be(rule: str) -> WrapValidator:
    """Say this rule, with the value, of every value that the annotated type refuses."""

    def check(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            raise ValueError(f"must be {rule}, not {quoted(value)}") from None

    return WrapValidator(check)


def quoted(value: object) -> str:
    """A value in a message: as JSON, its first 100 characters."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 100 else f"{text[:100]}..."


def written(value: object) -> str:
    """A value as JSON, as the template holds it: in ASCII, because CloudFormation does not keep all other characters.

    Raises:
        ValueError: JSON cannot hold it, as NaN.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


Name = Annotated[
    str,
    Field(pattern="^[0-9A-Za-z_.-]{1,64}$"),
    must_be("a name of 1 to 64 letters, digits, '-', '_' or '.'"),
]
