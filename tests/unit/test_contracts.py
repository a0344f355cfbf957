"""The JSON Schemas in docs/ accept and refuse what the code does, so that callers can validate before they call."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from lambdas.image_builder.fleet import FLEET_FIELDS, parse_whole_fleet_request
from lambdas.image_builder.request import (
    FIELDS,
    STARTED_BY_EXECUTION,
    STOP_FIELDS,
    Field,
    parse_request,
    parse_stop_request,
)
from local.fake_appstream.model import input_shape, violations
from tests.contracts import FLEETS, REQUESTS, in_events, refusal, resolve, schemas, validator

CONTRACTS: dict[str, tuple[Callable[[object], Any], Mapping[str, Field], dict[str, Any], st.SearchStrategy[Any]]] = {
    "request": (parse_request, FIELDS, {"Name": "gold"}, in_events(REQUESTS)),
    "stop-request": (parse_stop_request, STOP_FIELDS, {"Name": "gold"}, in_events(REQUESTS)),
    "fleet-request": (parse_whole_fleet_request, FLEET_FIELDS, {"ImageBuilders": ["gold"]}, in_events(FLEETS)),
}
"""By schema: the function that checks it, its fields, the smallest request, and inputs."""


@pytest.mark.parametrize("name", schemas())
def test_a_schema_is_valid(name: str) -> None:
    Draft202012Validator.check_schema(schemas()[name])


@pytest.mark.parametrize("name", CONTRACTS)
@settings(max_examples=1_000, deadline=None)
@given(data=st.data())
def test_a_schema_and_the_api_accept_what_the_code_does(name: str, data: st.DataObject) -> None:
    parse, _, _, inputs = CONTRACTS[name]
    execution_input = data.draw(inputs)
    problems = refusal(parse, execution_input)
    errors = list(validator(name).iter_errors(execution_input))
    if not problems:
        assert errors == []
        request = parse(execution_input)
        cbor2.dumps(request)
        if name == "request":
            assert violations(request, input_shape("StartImageBuilder")) == []
            assert violations({"Names": [request["Name"]]}, input_shape("DescribeImageBuilders")) == []
    elif not errors:
        # What JSON Schema cannot say: two requests for one image builder, and which characters can be printed.
        assert "ImageBuilders[" in problems or not json.dumps(execution_input, ensure_ascii=False).isascii(), problems


BOUNDS: list[tuple[str, str, list[Any], list[Any]]] = [
    (
        "request",
        "Name",
        ["a", "0", "g" * 101, "gold-2026.1_a"],
        ["", "g" * 102, "-a", "a b", "a\n", "g\u00f6", 1, None],
    ),
    ("request", "TimeoutMinutes", [5, 720, 60.0], [4, 721, 5.5, True, "60", None, [60]]),
    ("request", "PollIntervalSeconds", [10, 300], [9, 301, None]),
    ("request", "StopAfterMinutes", [1, 10_080], [0, 10_081, 1.5, True, "30", None]),
    ("request", "AppstreamAgentVersion", ["LATEST", "v" * 100, "a b"], ["", "v" * 101, "LATEST\n", "a\x7f", 1, None]),
    ("request", "SkipTag", ["a", "\u00e4 b:/=+@-_.", "k" * 128], ["", "aws:a", "k" * 129, "a\n", "a!", "a\\", "a]"]),
    *(("request", flag, [True, False], [0, "true", None]) for flag in FIELDS if isinstance(FIELDS[flag].default, bool)),
    ("stop-request", "StopAfterMinutes", [0, 10_080], [-1, 10_081]),
    ("stop-request", "TimeoutMinutes", [5, 720], [4, 721]),
    ("fleet-request", "ImageBuilders", [["a"], [{"Name": "a"}], ["a"] * 1_001], [[], [{}], ["a b"], "a", [{"a": 1}]]),
    ("fleet-request", "MaxConcurrency", [1, 1_000], [0, 1_001, True]),
    ("fleet-request", "Defaults", [{}, {"DryRun": True}], [{"Name": "a"}, {"detail-type": "a"}, {"DryRun": 1}, []]),
]


@pytest.mark.parametrize(("name", "field", "right", "wrong"), BOUNDS, ids=[f"{one[0]} {one[1]}" for one in BOUNDS])
def test_schema_and_code_have_the_same_bounds(name: str, field: str, right: list[object], wrong: list[object]) -> None:
    parse, _, smallest, _ = CONTRACTS[name]
    for value in right:
        parse({**smallest, field: value})
        validator(name).validate({**smallest, field: value})
    for value in wrong:
        assert refusal(parse, {**smallest, field: value}).startswith((f"{field}: ", f"{field}[0]: "))
        assert not validator(name).is_valid({**smallest, field: value}), value


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_schema_has_the_fields_and_the_defaults_of_the_code(name: str) -> None:
    properties, fields = resolve(name, "#/$defs/Request")["properties"], CONTRACTS[name][1]
    assert list(properties) == [*fields, STARTED_BY_EXECUTION]
    for field in fields:
        schema = properties[field]
        found = resolve(name, schema["$ref"]) if "$ref" in schema else schema
        assert found.get("default") == fields[field].default
