"""What a trigger may match, and what a wrong one says at synth: its place and name, the key, and the rule."""

import json
from typing import Any

import pytest

from infra.config.event_patterns import OWN_SOURCE, Trigger
from infra.config.settings import InvalidSettings, Settings
from tests.conftest import PROJECT


def load(pattern: dict[str, Any]) -> Trigger:
    trigger = {"name": "requests", "pattern": pattern}
    (read,) = Settings.load({"stackName": "Night", "triggers": [trigger]}).triggers
    return read


def refused(pattern: dict[str, Any]) -> str:
    with pytest.raises(InvalidSettings) as caught:
        load(pattern)
    (problem,) = caught.value.problems
    return problem.removeprefix("triggers[0] (requests).pattern: ")


@pytest.mark.parametrize(
    "source",
    [
        *(None, [], "my.app", [{"prefix": "start"}], [{"anything-but": "my.app"}], [None], [5]),
        ["my.app", OWN_SOURCE],
        # Step Functions announces there each execution that fails.
        ["aws.states"],
    ],
)
def test_a_trigger_cannot_match_what_executions_bring_about(source: object) -> None:
    pattern = {"detail-type": ["Image Builder Start Failed"]} | ({} if source is None else {"source": source})
    assert refused(pattern).startswith("source: must be a list of sources of your own")


def test_the_source_that_a_trigger_refuses_is_the_one_of_our_own_events() -> None:
    schema = json.loads((PROJECT / "docs" / "events.schema.json").read_text("utf-8"))
    assert schema["properties"]["source"]["const"] == OWN_SOURCE


A_VALUE = "must be a value, or one of prefix, suffix, "
A_LIST = "must be a list of values that match, or an object of such lists, not"


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ({"Source": ["x"]}, "Source: there is no such key; there are source, detail-type"),
        ({"$or": [{"source": ["a"]}, {"id": ["b"]}]}, "$or: there is no such key"),
        ({"detail-type": "x"}, f'detail-type: {A_LIST} "x"'),
        ({"detail": {"a": {"b": 5}}}, f"detail.a.b: {A_LIST} 5"),
        ({"detail": {"$or": [{"a": ["b"]}, {"c": 5}]}}, f"detail.$or.c: {A_LIST} 5"),
        ({"detail": {"a": [{}]}}, f"detail.a: {A_VALUE}"),
        ({"detail": {"a": [{"Prefix": "b"}]}}, f"detail.a: {A_VALUE}"),
        ({"detail": {"a": [{"prefix": "b", "suffix": "c"}]}}, f"detail.a: {A_VALUE}"),
        ({"detail": {"a": [{"prefix": 5}]}}, f"detail.a: {A_VALUE}"),
        ({"detail": {"a": [{"numeric": "abc"}]}}, f"detail.a: {A_VALUE}"),
        ({"detail": {"a": [{"exists": "yes"}]}}, f"detail.a: {A_VALUE}"),
    ],
)
def test_what_is_no_event_pattern_is_refused_with_its_place(pattern: dict[str, Any], problem: str) -> None:
    assert refused({"source": ["my.app"], **pattern}).startswith(problem)


def test_every_problem_of_a_pattern_is_named() -> None:
    pattern = {"source": ["aws.states"], "detail": {"a": [{"exists": "yes"}], "b": [{"numeric": "abc"}]}, "Detail": 1}
    problems = refused(pattern).split("; ")
    assert [problem.split(": ")[0] for problem in problems[:4]] == ["source", "detail.a", "detail.b", "Detail"]


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["my.app", "aws.partner/example.com/orders"], "resources": [{"suffix": "a"}], "account": ["1"]},
        {"detail-type": [{"prefix": {"equals-ignore-case": "Start"}}], "detail": {"DryRun": [True, None, 1]}},
        {"detail": {"Name": [{"wildcard": "gold-*"}, {"anything-but": {"prefix": "a"}}, {"anything-but": ["a", "b"]}]}},
        {"detail": {"$or": [{"Name": ["a"]}, {"Minutes": [{"numeric": ["<", 60]}]}]}},
        {"detail": {"a": [{"cidr": "10.0.0.0/24"}, {"exists": False}, {"equals-ignore-case": "b"}]}},
    ],
)
def test_a_pattern_may_be_what_event_patterns_can(pattern: dict[str, Any]) -> None:
    pattern = {"source": ["my.app"], **pattern}
    assert load(pattern).pattern == pattern
