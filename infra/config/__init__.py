"""The deployment's settings, checked at synth."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


class Strict(BaseModel):
    """An object of the settings: it has these keys and no others, and converts nothing (`"true"` is no boolean)."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be, in words that follow "must be", and, if it says the same, as a pattern of a whole string.

    The words are the message of every error of the annotated type.
    """

    words: str
    pattern: str = ""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The type's schema with this message."""
        # $ is the very end in pydantic's regular expressions, as in JSON Schema's.
        schema: Any = {**handler(source), **({"pattern": f"^({self.pattern})$"} if self.pattern else {})}
        return core_schema.custom_error_schema(
            schema, "rule", custom_error_message="must be {rule}", custom_error_context={"rule": self.words}
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The type's JSON Schema, with the words as its description."""
        return {"description": self.words[0].upper() + self.words[1:], **handler(schema)}


def written(value: object) -> str:
    """A value as JSON, as the template holds it: in ASCII, because CloudFormation does not keep all other characters.

    Raises:
        ValueError: JSON cannot hold it, as NaN.
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


Name = Annotated[str, Rule("a name of 1 to 64 letters, digits, '-', '_' or '.'", r"[0-9A-Za-z_.-]{1,64}")]
