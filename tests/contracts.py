"""The contracts as JSON Schema (docs/*.schema.json), and inputs that they and the code must accept or refuse alike."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from lambdas.image_builder.request import STARTED_BY_EXECUTION, InvalidRequest

DOCS = Path(__file__).parent.parent / "docs"

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.from_regex(r"[a-zA-Z0-9_.-]{0,103}", fullmatch=True) | st.text(max_size=103)
FLAGS = st.booleans() | JSON
OPTIONS = {
    "TimeoutMinutes": st.integers(0, 725) | st.floats() | JSON,
    "PollIntervalSeconds": st.integers(5, 305) | JSON,
    "AppstreamAgentVersion": st.text(max_size=103) | JSON,
    "StopAfterMinutes": st.integers(-1, 10_082) | JSON,
    "SkipTag": st.from_regex(r"(aws:)?[\w .:/=+@-]{0,130}", fullmatch=True) | st.text() | JSON,
    "NotifyOnSuccess": FLAGS,
    "DryRun": FLAGS,
    "name": JSON,
    "Surprise": JSON,
    STARTED_BY_EXECUTION: JSON,
}
REQUESTS = st.fixed_dictionaries({}, optional={"Name": NAMES | JSON, **OPTIONS})
FLEETS = st.fixed_dictionaries(
    {},
    optional={
        "ImageBuilders": st.lists(NAMES | REQUESTS | JSON, max_size=3) | JSON,
        "Tag": st.fixed_dictionaries({"Key": st.text(max_size=130), "Value": st.text(max_size=258) | JSON}) | JSON,
        "Defaults": st.fixed_dictionaries({}, optional={"Name": NAMES, "detail-type": JSON, **OPTIONS}) | JSON,
        "MaxConcurrency": st.integers(-1, 1_002) | JSON,
        "Surprise": JSON,
    },
)


def in_events(requests: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Requests, the same in EventBridge events, and anything else."""
    events = st.fixed_dictionaries({"detail-type": JSON}, optional={"detail": requests | JSON, "source": JSON})
    return requests | events | JSON


@cache
def schemas() -> dict[str, dict[str, Any]]:
    """By file name."""
    return {path.name: json.loads(path.read_text("utf-8")) for path in DOCS.glob("*.schema.json")}


@cache
def registry() -> "Registry[Any]":
    """Where the schemas find each other by their file names."""
    return Registry().with_resources((name, Resource.from_contents(schema)) for name, schema in schemas().items())


def refusal(parse: Callable[[Any], object], execution_input: object) -> str:
    """The problems that the code has with an input; nothing where it accepts it."""
    try:
        parse(execution_input)
    except InvalidRequest as problems:
        return str(problems)
    return ""


@cache
def validator(name: str) -> Draft202012Validator:
    """Of docs/NAME.schema.json."""
    return Draft202012Validator(schemas()[f"{name}.schema.json"], registry=registry())


def resolve(name: str, reference: str) -> Any:
    """What a reference in docs/NAME.schema.json refers to."""
    return registry().resolver(f"{name}.schema.json").lookup(reference).contents


def check(name: str, value: object) -> None:
    """Raise jsonschema's ValidationError where a value breaks docs/NAME.schema.json."""
    validator(name).validate(value)
