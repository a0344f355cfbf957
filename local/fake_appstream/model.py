"""AppStream as botocore models it: operations, shapes, constraints, and the HTTP status of errors."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "structure": (dict,),
    "list": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
}


class ServiceError(Exception):
    """An error that the service answers.

    Args:
        code: one that the model has, or any other.
        message: for a person.
        status: the HTTP status; by default that of the model or of the common errors.
    """

    def __init__(self, code: str, message: str = "", status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or http_status(code)


@cache
def service_model(operation: str = "") -> ServiceModel:
    """The model of the service that has an operation: AppStream, or the Resource Groups Tagging API."""
    name = "resourcegroupstaggingapi" if operation == "GetResources" else "appstream"
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def input_shape(operation: str) -> StructureShape:
    """The parameters of an operation."""
    shape = service_model(operation).operation_model(operation).input_shape
    if not isinstance(shape, StructureShape):
        raise ValueError(f"operation: must be one that takes parameters, not {operation!r}")
    return shape


def http_status(code: str) -> int:
    """The HTTP status of an error code."""
    model = service_model()
    if code in model.shape_names:
        return int(model.shape_for(code).metadata.get("error", {}).get("httpStatusCode", 400))
    # The common errors of the API guide, which no service model lists. Any other code is a 400.
    if code in ("InternalError", "InternalFailure", "InternalServerError", "InternalServerException"):
        return 500
    return 503 if code in ("ServiceUnavailable", "ServiceUnavailableException") else 400


def violations(value: Any, shape: Shape, path: str = "") -> list[str]:
    """The constraints of a shape that a value violates, in AWS's words: required, min, max, pattern, enum.

    Members that the shape does not have are ignored, as AWS does.

    Raises:
        ServiceError: SerializationException, where a type is wrong.
    """
    return list(_violations(value, shape, path))


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    # To Python, True is an int.
    right_type = isinstance(value, _PYTHON_TYPES[shape.type_name])
    if not right_type or isinstance(value, bool) is not (shape.type_name == "boolean"):
        raise ServiceError("SerializationException", f"{path or 'input'}: must be a {shape.type_name}, not {value!r}")
    for rule in _violated(value, shape):
        yield f"Value '{value}' at '{path}' failed to satisfy constraint: Member must {rule}"
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            # AWS's messages name members in camel case.
            member_path = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
            if value.get(name) is not None:
                yield from _violations(value[name], member, member_path)
            elif name in shape.required_members:
                yield f"Value null at '{member_path}' failed to satisfy constraint: Member must not be null"
    elif isinstance(shape, ListShape):
        for number, item in enumerate(value, 1):
            yield from _violations(item, shape.member, f"{path}.{number}.member")


def _violated(value: Any, shape: Shape) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    kind, amount = ("length", len(value)) if isinstance(shape, ListShape | StringShape) else ("value", value)
    if least is not None and amount < least:
        yield f"have {kind} greater than or equal to {least}"
    if most is not None and amount > most:
        yield f"have {kind} less than or equal to {most}"
    if (pattern := shape.metadata.get("pattern")) and not re.fullmatch(pattern, value):
        yield f"satisfy regular expression pattern: {pattern}"
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"satisfy enum value set: [{', '.join(shape.enum)}]"
