"""The JSON Schemas in docs/ accept and refuse what the code does, so that callers can validate before they call."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from jsonschema import Draft202012Validator

from lambdas.image_builder.fleet import FLEET_FIELDS, parse_whole_fleet_request
from lambdas.image_builder.request import (
    FIELDS,
    STARTED_BY_EXECUTION,
    STOP_FIELDS,
    Field,
    InvalidRequest,
    parse_request,
    parse_stop_request,
)
from tests.contracts import FLEETS, REQUESTS, in_events, resolve, schemas, validator

NAMES = [file.partition(".")[0] for file in schemas()]


def test_there_is_a_schema_for_each_contract() -> None:
    assert sorted(NAMES) == ["cause", "events", "fleet-request", "request", "result", "settings", "stop-request"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_valid_and_its_references_resolve(name: str) -> None:
    schema = schemas()[f"{name}.schema.json"]
    Draft202012Validator.check_schema(schema)
    for reference in references(schema):
        resolve(name, reference)


def references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [found for member in schema for found in references(member)]
    if not isinstance(schema, dict):
        return []
    return [schema["$ref"]] if "$ref" in schema else references(list(schema.values()))


def agree(name: str, parse: Callable[[object], object], execution_input: object) -> None:
    try:
        parse(execution_input)
        refusal = ""
    except InvalidRequest as problems:
        refusal = str(problems)
    errors = list(validator(name).iter_errors(execution_input))
    if not refusal:
        assert errors == []
    elif not errors:
        # What JSON Schema cannot say: two requests for one image builder, and which characters can be printed.
        assert "ImageBuilders[" in refusal or not json.dumps(execution_input, ensure_ascii=False).isascii(), refusal


@settings(max_examples=500, deadline=None)
@given(in_events(REQUESTS))
def test_the_schema_of_a_start_accepts_what_the_code_does(execution_input: object) -> None:
    agree("request", parse_request, execution_input)


@settings(max_examples=500, deadline=None)
@given(in_events(REQUESTS))
def test_the_schema_of_a_stop_accepts_what_the_code_does(execution_input: object) -> None:
    agree("stop-request", parse_stop_request, execution_input)


@settings(max_examples=500, deadline=None)
@given(in_events(FLEETS))
def test_the_schema_of_a_fleet_accepts_what_the_code_does(execution_input: object) -> None:
    agree("fleet-request", parse_whole_fleet_request, execution_input)


BOUNDS: list[tuple[str, str, list[Any], list[Any]]] = [
    ("request", "Name", ["a", "0", "g" * 101, "gold-2026.1_a"], ["", "g" * 102, "-a", "a b", "a\n", 1, None]),
    ("request", "TimeoutMinutes", [5, 720, 60.0], [4, 721, 5.5, True, "60", None]),
    ("request", "PollIntervalSeconds", [10, 300], [9, 301, None]),
    ("request", "StopAfterMinutes", [1, 10_080], [0, 10_081]),
    ("request", "AppstreamAgentVersion", ["LATEST", "v" * 100, "a b"], ["", "v" * 101, "LATEST\n", "a\x7f", 1]),
    ("request", "SkipTag", ["a", "\u00e4 b:/=+@-_.", "k" * 128], ["", "aws:a", "k" * 129, "a\n", "a!", "a\\", "a]"]),
    *(("request", flag, [True, False], [0, "true", None]) for flag in FIELDS if isinstance(FIELDS[flag].default, bool)),
    ("stop-request", "StopAfterMinutes", [0, 10_080], [-1, 10_081]),
    ("stop-request", "TimeoutMinutes", [5, 720], [4, 721]),
    (
        "fleet-request",
        "ImageBuilders",
        [["a"], [{"Name": "a"}], ["a"] * 1_001],
        [[], [{}], ["a b"], "a", [{"name": "a"}]],
    ),
    ("fleet-request", "MaxConcurrency", [1, 1_000], [0, 1_001, True]),
    (
        "fleet-request",
        "Defaults",
        [{}, {"DryRun": True}],
        [{"Name": "a"}, {"detail-type": "a"}, {"TimeoutMinutes": 1}, []],
    ),
]
CODE: dict[str, tuple[Callable[[object], object], dict[str, Any]]] = {
    "request": (parse_request, {"Name": "gold"}),
    "stop-request": (parse_stop_request, {"Name": "gold"}),
    "fleet-request": (parse_whole_fleet_request, {"ImageBuilders": ["gold"]}),
}


@pytest.mark.parametrize(("name", "field", "right", "wrong"), BOUNDS, ids=[f"{one[0]} {one[1]}" for one in BOUNDS])
def test_schema_and_code_have_the_same_bounds(name: str, field: str, right: list[object], wrong: list[object]) -> None:
    parse, request = CODE[name]
    for value in right:
        parse({**request, field: value})
        validator(name).validate({**request, field: value})
    for value in wrong:
        with pytest.raises(InvalidRequest):
            parse({**request, field: value})
        assert not validator(name).is_valid({**request, field: value}), value


@pytest.mark.parametrize(
    ("name", "fields"), [("request", FIELDS), ("stop-request", STOP_FIELDS), ("fleet-request", FLEET_FIELDS)]
)
def test_a_schema_has_the_fields_and_the_defaults_of_the_code(name: str, fields: dict[str, Field]) -> None:
    properties = resolve(name, "#/$defs/Request")["properties"]
    assert list(properties) == [*fields, STARTED_BY_EXECUTION]
    for field, schema in properties.items():
        if field in fields:
            found = resolve(name, schema["$ref"]) if "$ref" in schema else schema
            assert found.get("default") == fields[field].default
