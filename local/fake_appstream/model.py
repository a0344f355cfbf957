"""AppStream as botocore models it: operations, shapes, constraints, and the HTTP status of errors."""

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
        status: the HTTP status; by default that of the model or of the common errors.
    """

    def __init__(self, code: str, message: str = "Scripted fault.", status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or http_status(code)


@cache
def service_model(name: str = "appstream") -> ServiceModel:
    """Botocore's model of a service."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


def input_shape(operation: str) -> Shape:
    """The parameters of an operation of AppStream, or of the Resource Groups Tagging API."""
    model = service_model("resourcegroupstaggingapi" if operation == "GetResources" else "appstream")
    return cast(Shape, model.operation_model(operation).input_shape)


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
