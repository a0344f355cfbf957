"""AppStream as botocore models it: operations, shapes, constraints, error classes."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ListShape, MapShape, ServiceModel, Shape, StringShape, StructureShape

# The guide's common errors, which no service model lists; every other code that the model does not know is a 400.
_COMMON_STATUS = {
    "InternalError": 500,
    "InternalFailure": 500,
    "InternalServerError": 500,
    "InternalServerException": 500,
    "MissingAuthenticationTokenException": 403,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
}

# Python's re has no Unicode properties. \w is letters, numbers and the underscore, which every class with \p{L} has.
_PROPERTIES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{Z}": r"\u0020\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "boolean": (bool,),
    # Seconds since the epoch, as everywhere in the double.
    "timestamp": (int, float),
}


class ShapeError(Exception):
    """A value does not have the type of its shape. The message names the member and the type."""


class ServiceError(Exception):
    """An error that the service answers.

    Args:
        code: modelled or not.
        message: for a person.
        status: the HTTP status; the model's, or that of the common errors, unless told otherwise.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status or http_status(code)


@cache
def service_model() -> ServiceModel:
    """The model of AppStream in the botocore that runs here, and no other file of botocore's data."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    return ServiceModel(loader.load_service_model("appstream", "service-2"), "appstream")


TAGGING = "ResourceGroupsTaggingAPI_20170126"
"""The target prefix of the one other API that the double speaks, for GetResources."""


@cache
def _model_of(operation: str) -> ServiceModel:
    if operation != "GetResources":
        return service_model()
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    name = "resourcegroupstaggingapi"
    return ServiceModel(loader.load_service_model(name, "service-2"), name)


@cache
def image_builder_shape() -> StructureShape:
    """The ImageBuilder structure."""
    shape = service_model().shape_for("ImageBuilder")
    assert isinstance(shape, StructureShape)  # nosec B101 # for the type checker
    return shape


def input_shape(operation: str) -> Shape:
    """What an operation takes."""
    shape = _model_of(operation).operation_model(operation).input_shape
    assert shape is not None, f"{operation} takes nothing"  # nosec B101 # for the type checker
    return shape


def output_shape(operation: str) -> Shape | None:
    """What an operation answers."""
    return _model_of(operation).operation_model(operation).output_shape


def http_status(code: str) -> int:
    """The HTTP status of an error code."""
    model = service_model()
    if code in model.shape_names:
        return int(model.shape_for(code).metadata.get("error", {}).get("httpStatusCode", 400))
    return _COMMON_STATUS.get(code, 400)


def conform(value: Any, shape: Shape, path: str = "") -> Any:
    """The value with only the members that its shape knows; null and unknown members are ignored, as AWS does.

    Raises:
        ShapeError: a type is wrong.
    """
    if isinstance(shape, StructureShape):
        _expect(value, (dict,), "an object", path)
        return {
            name: conform(value[name], member, f"{path}.{name}".lstrip("."))
            for name, member in shape.members.items()
            if value.get(name) is not None
        }
    if isinstance(shape, ListShape):
        _expect(value, (list, tuple), "a list", path)
        return [conform(item, shape.member, f"{path}.{place}.member") for place, item in enumerate(value, 1)]
    if isinstance(shape, MapShape):
        _expect(value, (dict,), "a map", path)
        return {conform(key, shape.key, f"{path}.key"): conform(item, shape.value, path) for key, item in value.items()}
    _expect(value, _PYTHON_TYPES[shape.type_name], f"a {shape.type_name}", path)
    return value


def violations(value: Any, shape: Shape) -> list[str]:
    """What a conforming value breaks of its shape's constraints, in AWS's words: required, min, max, pattern, enum."""
    return list(_violations(value, shape, ""))


def validation_error(problems: list[str]) -> ServiceError:
    """The error that AWS answers for broken constraints."""
    plural = "s" if len(problems) > 1 else ""
    return ServiceError(
        "ValidationException", f"{len(problems)} validation error{plural} detected: {'; '.join(problems)}"
    )


def violation(value: object, path: str, rule: str) -> str:
    """One broken constraint in AWS's words; the rule begins after "Member must"."""
    shown = "null" if value is None else f"'{value}'"
    return f"Value {shown} at '{path}' failed to satisfy constraint: Member must {rule}"


def _expect(value: object, types: tuple[type, ...], expected: str, path: str) -> None:
    # To Python, True is an int.
    if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
        raise ShapeError(f"{path or 'the input'} must be {expected}, not {value!r}")


def _violations(value: Any, shape: Shape, path: str) -> Iterator[str]:
    if isinstance(shape, StructureShape):
        for name, member in shape.members.items():
            # AWS's messages name members in camel case.
            member_path = f"{path}.{name[0].lower()}{name[1:]}".lstrip(".")
            if name in value:
                yield from _violations(value[name], member, member_path)
            elif name in shape.required_members:
                yield violation(None, member_path, "not be null")
        return
    for rule in _broken(value, shape):
        yield violation(value, path, rule)
    if isinstance(shape, ListShape):
        for place, item in enumerate(value, 1):
            yield from _violations(item, shape.member, f"{path}.{place}.member")
    elif isinstance(shape, MapShape):
        for key, item in value.items():
            if rules := list(_broken(key, shape.key)):
                yield violation(value, path, f"satisfy constraint: [Member must {', Member must '.join(rules)}]")
            yield from _violations(item, shape.value, f"{path}.{key}.member")


def _broken(value: Any, shape: Shape) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    sized = isinstance(shape, ListShape | MapShape | StringShape)
    amount = len(value) if sized else value
    kind = "length" if sized else "value"
    if least is not None and amount < least:
        yield f"have {kind} greater than or equal to {least}"
    if most is not None and amount > most:
        yield f"have {kind} less than or equal to {most}"
    if (pattern := shape.metadata.get("pattern")) and not _compiled(pattern).fullmatch(value):
        yield f"satisfy regular expression pattern: {pattern}"
    if isinstance(shape, StringShape) and shape.enum and value not in shape.enum:
        yield f"satisfy enum value set: [{', '.join(shape.enum)}]"


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    for unicode_property, characters in _PROPERTIES.items():
        pattern = pattern.replace(unicode_property, characters)
    return re.compile(pattern)
