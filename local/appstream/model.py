"""The service as botocore models it: shapes, constraints and error classes."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel, StructureShape
from botocore.validate import ParamValidator

SERVER_ERRORS = (
    "InternalFailure",
    "InternalError",
    "InternalServerError",
    "InternalServerException",
    "ServiceUnavailable",
)


@cache
def service_model() -> ServiceModel:
    """The model of AppStream in the botocore that runs here."""
    return botocore.session.get_session().get_service_model("appstream")


@cache
def image_builder_shape() -> StructureShape:
    """The ImageBuilder structure."""
    shape = service_model().shape_for("ImageBuilder")
    assert isinstance(shape, StructureShape)
    return shape


def http_status(code: str) -> int:
    """The HTTP status of an error: the model's, or that of the common errors."""
    model = service_model()
    if code in model.shape_names:
        return int(model.shape_for(code).metadata.get("error", {}).get("httpStatusCode", 400))
    if code in SERVER_ERRORS:
        return 503 if code == "ServiceUnavailable" else 500
    return 403 if code in ("MissingAuthenticationTokenException", "UnrecognizedClientException") else 400


def violations(operation: str, parameters: dict[str, Any]) -> list[str]:
    """What the parameters of an operation break of its model, in the words that AWS uses."""
    shape = service_model().operation_model(operation).input_shape
    assert shape is not None, "every AppStream operation has an input"
    report = ParamValidator().validate(parameters, shape)
    if report.has_errors():
        return [line for line in report.generate_report().splitlines() if line]
    return list(_constraints(parameters, shape, ""))


def _constraints(value: Any, shape: Any, path: str) -> Iterator[str]:
    """min, max, pattern and enum, which botocore's own validator leaves to the service."""
    failed = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must"
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from _constraints(value[name], member, f"{path}.{name}".strip("."))
    elif shape.type_name == "list":
        for index, member in enumerate(value):
            yield from _constraints(member, shape.member, f"{path}.{index + 1}.member")
    if shape.type_name in ("string", "list", "map"):
        least, most = shape.metadata.get("min"), shape.metadata.get("max")
        if least is not None and len(value) < least:
            yield f"{failed} have length greater than or equal to {least}"
        if most is not None and len(value) > most:
            yield f"{failed} have length less than or equal to {most}"
    if shape.type_name == "string":
        pattern, enum = shape.metadata.get("pattern"), shape.metadata.get("enum")
        if pattern and not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value):
            yield f"{failed} satisfy regular expression pattern: {pattern}"
        if enum and value not in enum:
            yield f"{failed} satisfy enum value set: [{', '.join(enum)}]"
