"""The shapes and constraints of requests, as botocore models them, and the errors."""

import re
from functools import cache
from typing import Any, cast

from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StringShape, StructureShape


class ServiceError(Exception):
    """An error that the service answers.

    Args:
        code: one that the model has, or any other.
        message: for a person.

    Attributes:
        status: the HTTP status.
    """

    def __init__(self, code: str, message: str = "Scripted fault.") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = 500 if code.startswith(("Internal", "ServiceUnavailable")) else 400


@cache
def input_shape(operation: str) -> Shape:
    """The parameters of an operation of AppStream, or of the Resource Groups Tagging API."""
    name = "resourcegroupstaggingapi" if operation == "GetResources" else "appstream"
    model = ServiceModel(Loader().load_service_model(name, "service-2"), name)
    return cast(Shape, model.operation_model(operation).input_shape)


def violations(value: Any, shape: Shape, path: str = "") -> list[str]:
    """The lengths and patterns of a shape that a value violates.

    Members that it lacks and wrong types are left to botocore, which refuses them before it makes a call. Members that
    the shape does not have are ignored, as AWS does.
    """
    found, limits = list[str](), shape.metadata
    if isinstance(shape, StructureShape):
        for name in value.keys() & shape.members.keys():
            found += violations(value[name], shape.members[name], f"{path}.{name}".lstrip("."))
    if isinstance(shape, ListShape):
        for item in value:
            found += violations(item, shape.member, path)
    sized = isinstance(shape, ListShape | StringShape)
    if sized and not limits.get("min", 0) <= len(value) <= limits.get("max", float("inf")):
        found.append(f"{path}: must not have a length of {len(value)}")
    if isinstance(shape, StringShape) and not re.fullmatch(limits.get("pattern", "(?s).*"), value):
        found.append(f"{path}: must match {limits['pattern']}, not {value!r}")
    return found
