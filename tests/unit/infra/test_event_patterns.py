"""What a trigger may match, and what a wrong one says at synth: its place and name, the key, and the rule."""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.config.event_patterns import OWN_SOURCE, Trigger
from infra.config.settings import InvalidSettings, Settings

TRIGGER: dict[str, Any] = {"name": "requests", "pattern": {"source": ["my.app"]}}


def load(**change: Any) -> Trigger:
    (trigger,) = Settings.load({"stackName": "Night", "triggers": [TRIGGER | change]}).triggers
    return trigger


def refused(**change: Any) -> tuple[str, ...]:
    with pytest.raises(InvalidSettings) as caught:
        load(**change)
    return caught.value.problems


def matching(**pattern: Any) -> dict[str, Any]:
    return {"source": ["my.app"], **pattern}


@pytest.mark.parametrize(
    ("value", "problem"),
    [("b" * 2048, "at most 2048 bytes"), (1e999, "what JSON can hold"), ("\ud800", "what JSON can hold")],
)
def test_a_pattern_is_measured_as_json(value: object, problem: str) -> None:
    (found,) = refused(pattern=matching(detail={"a": [value]}))
    assert found.startswith(f"triggers[0] (requests).pattern: must be {problem}")


SOURCES = [
    (None, "", "must be a list of sources of your own"),
    ([], "", "must be a list of sources of your own"),
    ("my.app", "", "must be a list of sources of your own"),
    *(
        ([matcher], "", "must be a list of sources of your own")
        for matcher in ({"prefix": "start"}, {"wildcard": "*"}, {"anything-but": "my.app"}, {"exists": True}, None, 5)
    ),
    (["my.app", OWN_SOURCE], "[1]", "must be a source of your own"),
    # Step Functions announces there each execution that fails.
    (["aws.states"], "[0]", "must be a source of your own"),
]


@pytest.mark.parametrize(("source", "index", "rule"), SOURCES)
def test_a_trigger_cannot_match_what_executions_bring_about(source: object, index: str, rule: str) -> None:
    pattern = {"detail-type": ["Image Builder Start Failed"]} | ({} if source is None else {"source": source})
    (problem,) = refused(pattern=pattern)
    assert problem.startswith(f"triggers[0] (requests).pattern.source{index}: {rule}")


def test_the_source_that_a_trigger_refuses_is_the_one_of_our_own_events() -> None:
    schema = json.loads((Path(__file__).parents[3] / "docs" / "events.schema.json").read_text("utf-8"))
    assert schema["properties"]["source"]["const"] == OWN_SOURCE


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ({"Source": ["x"]}, "Source: there is no such key; there are source, detail-type"),
        ({"$or": [{"source": ["a"]}, {"id": ["b"]}]}, "$or: there is no such key"),
        ({"detail": ["x"]}, 'detail: must be an object, not ["x"]'),
        ({"detail": {}}, "detail: must be a list of values that match, or an object of such lists, not {}"),
        (
            {"detail": {"Name": "a"}},
            'detail.Name: must be a list of values that match, or an object of such lists, not "a"',
        ),
        ({"detail": {"a": {"b": []}}}, "detail.a.b: must be a list of values"),
        ({"detail": {"a": [["b"]]}}, "detail.a[0]: must be a string, a number, true, false, null, or an object"),
        ({"detail": {"a": [{}]}}, "detail.a[0]: must be a string, a number"),
        ({"detail": {"a": [{"Prefix": "b"}]}}, "detail.a[0]: must be a string, a number"),
        ({"detail": {"a": [{"prefix": "b", "suffix": "c"}]}}, "detail.a[0]: must be a string, a number"),
        ({"detail": {"$or": [{"a": ["b"]}]}}, "detail.$or[0]: must be a string, a number"),
        ({"detail": {"$or": [{"a": ["b"]}, 5]}}, "detail.$or[1]: must be an object, not 5"),
        ({"detail": {"$or": [{"a": ["b"]}, {"c": 5}]}}, "detail.$or[1].c: must be a list of values"),
        ({"detail-type": "x"}, "detail-type: must be a list of values that match"),
        ({"detail-type": []}, "detail-type: must be a list of values that match"),
    ],
)
def test_what_is_no_event_pattern_is_refused_with_its_place(pattern: dict[str, Any], problem: str) -> None:
    (found,) = refused(pattern=matching(**pattern))
    assert found.startswith(f"triggers[0] (requests).pattern.{problem}")


def test_every_problem_of_a_pattern_is_named() -> None:
    pattern = {"source": ["aws.states"], "detail": {"a": [{"exists": "yes"}, {"numeric": "abc"}]}, "Detail": 1}
    assert [problem.split(": ")[0] for problem in refused(pattern=pattern)] == [
        f"triggers[0] (requests).pattern.{place}"
        for place in ("source[0]", "detail.a[0].exists", "detail.a[1].numeric", "Detail")
    ]


OPERANDS: list[tuple[str, list[object], list[object]]] = [
    ("prefix", ["a", "", {"equals-ignore-case": "a"}], [5, ["a"], None, {"suffix": "a"}, {"equals-ignore-case": 5}]),
    ("suffix", ["a", {"equals-ignore-case": "a"}], [True, {}, {"equals-ignore-case": "a", "prefix": "b"}]),
    ("equals-ignore-case", ["a"], [5, ["a"], {"prefix": "a"}]),
    ("wildcard", ["gold-*", "*", r"a\*b", r"a\\*", ""], ["**", "a**b", r"a\b", "a\\", 5, ["*"]]),
    (
        "anything-but",
        ["a", 5, ["a", "b"], [1, 2.5]]
        + [{key: text} for key in ("prefix", "suffix", "wildcard", "equals-ignore-case") for text in ("a", ["a", "b"])],
        [None, True, [], ["a", 1], [[]], {}, {"prefix": ""}, {"prefix": 5}, {"numeric": [">", 5]}, {"wildcard": "**"}],
    ),
    (
        "numeric",
        [["=", 5], ["<", -1.5], [">=", 0], [">", 0, "<=", 5], [">=", -5e9, "<", 5e9]],
        ["abc", 5, [], [5], ["<"], ["!=", 5], ["<", "5"], ["<", True], ["<", 5e10], ["<", 0, ">", 5], [">", 0, "=", 5]],
    ),
    (
        "cidr",
        ["10.0.0.0/24", "10.0.0.255/24", "2001:db8::/32", "0.0.0.0/0"],
        ["10.0.0.0", "10.0.0.0/32", "::/128", "10.0.0/24", "a/24", "10.0.0.0/x", "10.0.0.0/24\n", 24, "10.0.0.0/33"],
    ),
    ("exists", [True, False], ["yes", "true", 1, None, [True]]),
]


@pytest.mark.parametrize(("operator", "right", "wrong"), OPERANDS, ids=[each[0] for each in OPERANDS])
def test_an_operator_takes_what_eventbridge_documents(operator: str, right: list[object], wrong: list[object]) -> None:
    for operand in right:
        pattern = matching(detail={"a": [{operator: operand}]})
        assert load(pattern=pattern).pattern == pattern
    for operand in wrong:
        (problem,) = refused(pattern=matching(detail={"a": [{operator: operand}]}))
        assert problem.startswith(f"triggers[0] (requests).pattern.detail.a[0].{operator}: must be ")


@pytest.mark.parametrize(
    "pattern",
    [
        {"source": ["my.app", "aws.partner/example.com/orders"], "resources": [{"suffix": "a"}], "account": ["1"]},
        {"detail-type": [{"prefix": "Start"}], "detail": {"Name": [{"wildcard": "gold-*"}], "DryRun": [True, None, 1]}},
        {"detail": {"$or": [{"Name": ["a"]}, {"StopAfterMinutes": [{"numeric": ["<", 60]}], "b": {"$or": ["c"]}}]}},
    ],
)
def test_a_pattern_may_be_what_event_patterns_can(pattern: dict[str, Any]) -> None:
    assert load(pattern=matching(**pattern)).pattern == matching(**pattern)
