import json
from typing import Any

import pytest

from lambdas.image_builder.fleet import (
    MOST,
    RESULT_BYTES,
    RESULTS_BYTES,
    distinct,
    fleet,
    parse_fleet_request,
    parse_whole_fleet_request,
)
from lambdas.image_builder.request import InvalidRequest


def refused(execution_input: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        listed(execution_input)
    return str(caught.value)


def listed(execution_input: object, tagged: tuple[str, ...] = ()) -> Any:
    return fleet(parse_fleet_request(execution_input), list(tagged))


def test_names_and_requests_are_listed_as_requests_in_their_order() -> None:
    found = listed({"ImageBuilders": ["b", {"Name": "a", "TimeoutMinutes": 30}]})
    assert found["Requests"] == [{"Name": "b"}, {"Name": "a", "TimeoutMinutes": 30}]
    assert (found["Defaults"], found["MaxConcurrency"]) == ({"PollIntervalSeconds": 23}, 1_000)


@pytest.mark.parametrize(
    ("count", "at_once", "pause"),
    [(1, 1_000, 23), (103, 1_000, 23), (104, 1_000, 24), (1_000, 1_000, 223), (1_000, 90, 23)],
)
def test_the_more_go_on_at_once_the_more_rarely_each_looks(count: int, at_once: int, pause: int) -> None:
    request = {"ImageBuilders": [f"b{number}" for number in range(count)], "MaxConcurrency": at_once}
    assert listed(request)["Defaults"] == {"PollIntervalSeconds": pause}
    assert listed({**request, "Defaults": {"PollIntervalSeconds": 10}})["Defaults"] == {"PollIntervalSeconds": 10}


def test_an_event_carries_a_fleet_in_its_detail() -> None:
    assert listed({"detail-type": "Start", "detail": {"ImageBuilders": ["a"]}})["Requests"] == [{"Name": "a"}]


def test_the_same_builder_five_times_is_one() -> None:
    assert distinct(["a", "b", "a", {"Name": "a"}, "a", "a"]) == [{"Name": "a"}, {"Name": "b"}]


def test_one_builder_asked_for_in_two_ways_is_refused() -> None:
    problem = refused({"ImageBuilders": ["b", "a", {"Name": "a", "DryRun": True}]})
    assert problem == "ImageBuilders[2]: asks for a in another way than ImageBuilders[1]"


def test_a_bad_request_among_good_ones_is_left_to_its_run() -> None:
    bad: list[Any] = [7, None, {}, {"Name": "a b"}, {"Name": "a", "Nmae": 1}, []]
    found = listed({"ImageBuilders": ["good", *bad]})["Requests"]
    assert found == [{"Name": "good"}, {"Name": 7}, {"Name": None}, {}, {"Name": "a b"}, bad[4], {"Name": []}]


@pytest.mark.parametrize(
    ("execution_input", "problem"),
    [
        ({}, "ImageBuilders, Tag: exactly one of the two is required"),
        ({"ImageBuilders": ["a"], "Tag": {"Key": "k", "Value": "v"}}, "ImageBuilders, Tag: exactly one"),
        ({"ImageBuilders": []}, "ImageBuilders: must be a list of 1 to 1000 names or requests"),
        ({"ImageBuilders": "a"}, "ImageBuilders: must be a list"),
        ({"ImageBuilders": [f"b{n}" for n in range(1_001)]}, "ImageBuilders: must be a list of 1 to 1000"),
        ({"ImageBuilders": ["a"], "MaxConcurrency": 0}, "MaxConcurrency: must be an integer from 1 to 1000, not 0"),
        ({"ImageBuilders": ["a"], "MaxConcurrency": True}, "MaxConcurrency: must be an integer"),
        (
            {"ImageBuilders": ["a"], "Defaults": {"Name": "b"}},
            "Defaults: must be an object with fields of a request other",
        ),
        ({"ImageBuilders": ["a"], "Defaults": {"TimeoutMinutes": 1}}, "Defaults: TimeoutMinutes: must be an integer"),
        ({"ImageBuilders": ["a"], "Defaults": {"Night": 1}}, 'Defaults: "Night": is not a field of the request'),
        ({"Tag": {"Key": "k"}}, 'Tag: must be an object {"Key"'),
        ({"Tag": {"Key": "", "Value": "v"}}, "Tag: must be"),
        ({"Tag": {"Key": "k", "Value": 7}}, "Tag: must be"),
        ({"ImageBuilders": ["a"], "Night": 7}, '"Night": is not a field of the request'),
        ({"Name": "a"}, '"Name": is not a field of the request'),
        ("a", "the input must be a JSON object with at least ImageBuilders"),
    ],
)
def test_a_wrong_fleet_is_refused_by_field(execution_input: object, problem: str) -> None:
    assert problem in refused(execution_input)


def test_the_key_of_nested_executions_is_ignored() -> None:
    assert listed({"ImageBuilders": ["a"], "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn"})["Requests"]


def test_a_thousand_named_twice_are_a_thousand() -> None:
    names = [f"builder-{number}" for number in range(MOST)]
    assert len(listed({"ImageBuilders": names * 2})["Requests"]) == MOST


def test_what_carries_the_tag_is_listed() -> None:
    assert listed({"Tag": {"Key": "Patch", "Value": "tuesday"}}, ("a", "b"))["Requests"] == [
        {"Name": "a"},
        {"Name": "b"},
    ]


@pytest.mark.parametrize(("count", "said"), [(0, "none does"), (1_001, "1001 do")])
def test_a_tag_that_no_builder_carries_or_too_many_is_refused(count: int, said: str) -> None:
    with pytest.raises(InvalidRequest, match=said):
        listed({"Tag": {"Key": "Patch", "Value": "tuesday"}}, tuple(f"b{number}" for number in range(count)))


@pytest.mark.parametrize("count", [1, 10, 60, 100, 500, 1_000])
def test_the_results_of_a_fleet_fit_into_what_a_state_may_hand_on(count: int) -> None:
    length = listed({"ImageBuilders": [f"b{number}" for number in range(count)]})["MessageLength"]
    worst = {"Index": 999, "Name": "n" * 101, "Outcome": "Failed", "Error": "E" * 60}
    assert len(json.dumps(worst)) <= RESULT_BYTES
    message = len(json.dumps({"Message": "\u20ac" * length}, ensure_ascii=False).encode()) if length else 0
    assert count * (len(json.dumps(worst)) + message) < 262_144 - 2_000
    assert RESULTS_BYTES < 262_144
    if count <= 60:
        assert length == 1_000


def test_what_is_known_at_synth_is_checked_whole() -> None:
    good: dict[str, Any] = {"ImageBuilders": ["a", {"Name": "b"}], "Defaults": {"StopOnFailure": True}}
    assert parse_whole_fleet_request(good)["ImageBuilders"] == good["ImageBuilders"]
    with pytest.raises(InvalidRequest, match=r"ImageBuilders\[1\]: TimeoutMinutes: must be"):
        parse_whole_fleet_request({"ImageBuilders": ["a", {"Name": "b", "TimeoutMinutes": 1}]})
