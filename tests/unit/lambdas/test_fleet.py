import json
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from lambdas.image_builder.fleet import (
    CALLS_PER_SECOND,
    MAX_POLL_INTERVAL_SECONDS,
    RESULT_BYTES,
    STATE_BYTES,
    distinct,
    failed_result,
    fleet,
    parse_fleet_request,
    parse_whole_fleet_request,
)
from lambdas.image_builder.request import STARTED_BY_EXECUTION
from lambdas.image_builder.stop import WAIT_SECONDS
from tests.contracts import refusal


def listed(execution_input: object, tagged: Sequence[str] = (), gone: Sequence[str] = ()) -> Any:
    return fleet(parse_fleet_request(execution_input), tagged, gone)


def refused(execution_input: object) -> str:
    return refusal(listed, execution_input)


def names(count: int) -> list[str]:
    return [f"{number:03}".ljust(101, "n") for number in range(count)]


def test_names_and_requests_are_listed_as_requests_in_their_order() -> None:
    found = listed({"ImageBuilders": ["b", {"Name": "a", "TimeoutMinutes": 30}]})
    assert found["Requests"] == [{"Name": "b"}, {"Name": "a", "TimeoutMinutes": 30}]
    assert (found["Defaults"], found["MaxConcurrency"], found["Gone"]) == ({"PollIntervalSeconds": 23}, 2, [])


@pytest.mark.parametrize(
    ("count", "at_once", "interval"),
    [(1, 1_000, 23), (103, 1_000, 23), (104, 1_000, 24), (1_000, 1_000, 223), (1_000, 90, 23)],
)
def test_the_more_image_builders_a_fleet_has_the_longer_is_the_poll_interval(
    count: int, at_once: int, interval: int
) -> None:
    request = {"ImageBuilders": names(count), "MaxConcurrency": at_once}
    found = listed(request)
    assert (found["Defaults"], found["MaxConcurrency"]) == ({"PollIntervalSeconds": interval}, min(count, at_once))
    assert listed({**request, "Defaults": {"PollIntervalSeconds": 10}})["Defaults"] == {"PollIntervalSeconds": 10}


@pytest.mark.parametrize("defaults", [{"StopAfterMinutes": 60}, {"StopOnFailure": True}])
@pytest.mark.parametrize(
    ("count", "most"), [(1, 1), (100, 1_000), (500, 90), (900, 1_000), (1_000, 1_000), (1_000, 300)]
)
def test_a_fleet_and_its_auto_stops_together_poll_at_the_planned_rate(
    count: int, most: int, defaults: dict[str, Any]
) -> None:
    found = listed({"ImageBuilders": names(count), "Defaults": defaults, "MaxConcurrency": most})
    interval, at_once = found["Defaults"]["PollIntervalSeconds"], found["MaxConcurrency"]

    def calls_per_second(running: int, failed: int) -> Fraction:
        auto_stops = count if "StopAfterMinutes" in defaults else failed
        return Fraction(running, interval) + Fraction(auto_stops, WAIT_SECONDS)

    # All run; all that can have ended have failed; everything has failed.
    for running, failed in ((at_once, 0), (at_once, count - at_once), (0, count)):
        assert calls_per_second(running, failed) <= CALLS_PER_SECOND
    # No more rarely than that takes, and no fewer at the same time.
    auto_stops = calls_per_second(0, count - at_once)
    assert interval == 23 or Fraction(at_once, interval - 1) + auto_stops > CALLS_PER_SECOND
    more = Fraction(at_once + 1, MAX_POLL_INTERVAL_SECONDS) + auto_stops
    assert at_once == min(count, most) or more > CALLS_PER_SECOND


def test_only_a_request_with_an_auto_stop_counts_as_one() -> None:
    mixed = [{"Name": name, "StopAfterMinutes": 5} for name in names(200)] + [{"Name": "last"}]
    found = listed({"ImageBuilders": mixed})
    assert found["Defaults"] == {"PollIntervalSeconds": ceil(201 / (CALLS_PER_SECOND - 200 / WAIT_SECONDS))}


def test_an_event_or_a_nested_execution_carries_a_fleet() -> None:
    nested = {"ImageBuilders": ["a"], STARTED_BY_EXECUTION: "arn"}
    assert listed({"detail-type": "Start", "detail": nested})["Requests"] == [{"Name": "a"}]


def test_the_same_image_builder_named_again_is_one() -> None:
    assert distinct(["a", "b", "a", {"Name": "a"}, "a", "a"]) == [{"Name": "a"}, {"Name": "b"}]
    assert len(listed({"ImageBuilders": names(1_000) * 2})["Requests"]) == 1_000


def test_two_different_requests_for_one_image_builder_are_refused() -> None:
    problem = "ImageBuilders[2]: differs from the request in ImageBuilders[1] for the same image builder"
    assert refused({"ImageBuilders": ["b", "a", {"Name": "a", "DryRun": True}]}) == problem
    # 1 and true are not equal, 1 and 1.0 are.
    one, true, real = ({"Name": "a", "StopAfterMinutes": each} for each in (1, True, 1.0))
    assert "ImageBuilders[1]: differs" in refused({"ImageBuilders": [one, true]})
    assert listed({"ImageBuilders": [one, real]})["Requests"] == [one]


def test_an_invalid_request_among_valid_ones_fails_in_its_own_execution() -> None:
    bad: list[Any] = [7, None, {}, {"Name": "a b"}, {"Name": "a", "Nmae": 1}, [], "[6]", "[1]"]
    found = listed({"ImageBuilders": ["good", *bad]})["Requests"]
    assert found == [each if isinstance(each, dict) else {"Name": each} for each in ("good", *bad)]


@pytest.mark.parametrize(
    ("execution_input", "problem"),
    [
        ({}, "ImageBuilders, Tag: exactly one of the two is required"),
        ({"ImageBuilders": ["a"], "Tag": {"Key": "k", "Value": "v"}}, "ImageBuilders, Tag: exactly one"),
        ({"ImageBuilders": []}, "ImageBuilders: must be a list of 1 to 1000 names or requests"),
        ({"ImageBuilders": [f"b{n}" for n in range(1_001)]}, "ImageBuilders: must be a list of 1 to 1000"),
        ({"ImageBuilders": ["a"], "MaxConcurrency": 0}, "MaxConcurrency: must be an integer from 1 to 1000, not 0"),
        ({"ImageBuilders": ["a"], "Defaults": {"Name": "b"}}, "Defaults: must be an object with fields of a request o"),
        ({"ImageBuilders": ["a"], "Defaults": {"TimeoutMinutes": 1}}, "Defaults: TimeoutMinutes: must be an integer"),
        ({"ImageBuilders": ["a"], "Defaults": {"Night": 1}}, 'Defaults: "Night": is not a field of the request'),
        ({"Tag": {"Key": "k"}}, 'Tag: must be an object {"Key"'),
        ({"Tag": {"Key": "", "Value": "v"}}, "Tag: must be"),
        ({"Tag": {"Key": "k", "Value": 7}}, "Tag: must be"),
        ({"Tag": {"Key": "k", "Value": "v", "Password": "hunter2"}}, "two strings, not an object"),
        ({"ImageBuilders": {"Password": "hunter2"}}, "image builders, not an object"),
        ({"ImageBuilders": ["a"], "Night": 7}, '"Night": is not a field of the request'),
        ({"ImageBuilders": [{"Name": name, "x": "\u20ac" * 80} for name in names(720)]}, "at most 262144 bytes, not 2"),
        ({"Name": "a"}, '"Name": is not a field of the request'),
        ("a", "the input must be a JSON object with at least ImageBuilders"),
    ],
)
def test_an_invalid_fleet_is_refused_by_field(execution_input: object, problem: str) -> None:
    assert problem in refused(execution_input)
    assert "hunter2" not in refused(execution_input)


TAG = {"Tag": {"Key": "Patch", "Value": "tuesday\n"}}


def test_image_builders_with_the_tag_are_listed_and_those_that_are_gone_are_named() -> None:
    found = listed(TAG, ("a", "b"), names(200))
    assert found["Requests"] == [{"Name": "a"}, {"Name": "b"}]
    assert found["Gone"] == names(100)


@pytest.mark.parametrize(("count", "says"), [(0, "none has it (1 had it and are gone)"), (1_001, "1001 have it")])
def test_a_tag_of_no_image_builder_or_of_too_many_is_refused(count: int, says: str) -> None:
    problem = refusal(lambda tag: listed(tag, names(count), ["gone"]), TAG)
    assert problem == f'Tag: 1 to 1000 image builders must have the tag "Patch": "tuesday\\n", and {says}'


ITEM = {"Index": 999, "Request": {"Name": "n" * 101}, "MessageLength": 1_000}


@pytest.mark.parametrize("count", [1, 10, 60, 100, 500, 1_000])
def test_the_results_of_a_fleet_fit_into_a_state(count: int) -> None:
    item = {**ITEM, "MessageLength": listed({"ImageBuilders": names(count)})["MessageLength"]}
    cause = {"Route": "notify", "Message": "\U0001f600" * 9_000, "Advice": "Do."}
    result = failed_result(item, {"Error": "E" * 80, "Cause": json.dumps(cause)})
    size = len(json.dumps(result, ensure_ascii=False).encode())
    assert len(json.dumps({**result, "Message": ""})) - len(', "Message": ""') <= RESULT_BYTES
    gone = len(json.dumps(names(100)))
    assert count * size + gone < STATE_BYTES - 500
    assert item["MessageLength"] == 1_000 or count > 57


DESCRIBED = {"ExecutionArn": "arn", "Status": "FAILED", "Error": "ImageBuilderFailed"}
OWN = {"Route": "notify", "Message": "It broke.", "Advice": "Fix it.", "OperatorsNotified": False}


@pytest.mark.parametrize(
    ("failure", "error", "message", "notified"),
    [
        ({**DESCRIBED, "Cause": json.dumps(OWN)}, "ImageBuilderFailed", "It broke.", True),
        ({**DESCRIBED, "Cause": "no JSON"}, "ImageBuilderFailed", "no JSON", True),
        ({**DESCRIBED, "Cause": '{"Message": 7}'}, "ImageBuilderFailed", '{"Message": 7}', True),
        ({"ExecutionArn": "arn", "Status": "TIMED_OUT"}, "States.Timeout", "Step Functions ended the execution", True),
        ({"ExecutionArn": "arn", "Status": "ABORTED", "Cause": "{night}"}, "Aborted", "Someone stopped the exec", True),
        # An emulator hands on the execution's own Error and Cause.
        (OWN, "States.TaskFailed", "It broke.", True),
        # The execution was not started.
        ("Execution Already Exists: 'arn'", "States.TaskFailed", "Execution Already Exists: 'arn'", False),
        ("{no JSON}", "States.TaskFailed", "{no JSON}", False),
        (None, "States.TaskFailed", "", False),
    ],
)
def test_a_failure_is_read_from_any_cause(failure: Any, error: str, message: str, notified: bool) -> None:
    text = failure if isinstance(failure, str | None) else json.dumps(failure)
    result = failed_result(ITEM, {"Error": "States.TaskFailed", "Cause": text})
    assert result.pop("Message").startswith(message)
    assert result == {"Index": 999, "Name": "n" * 101, "Outcome": "Failed", "Error": error, "Notified": notified}


def test_a_failure_whose_cause_was_cut_is_read_as_far_as_it_goes() -> None:
    text = json.dumps({"Cause": json.dumps(OWN), **DESCRIBED, "Input": "x" * 40_000})[:32_768]
    result = failed_result({**ITEM, "Request": {"Name": "a\nb"}, "MessageLength": 0}, {"Error": "X", "Cause": text})
    assert result == {"Index": 999, "Name": None, "Outcome": "Failed", "Error": "ImageBuilderFailed", "Notified": True}


def test_what_is_known_at_synth_is_checked_whole() -> None:
    good: dict[str, Any] = {"ImageBuilders": ["a", {"Name": "b"}], "Defaults": {"StopOnFailure": True}}
    assert parse_whole_fleet_request(good)["ImageBuilders"] == good["ImageBuilders"]
    problem = refusal(parse_whole_fleet_request, {"ImageBuilders": ["a", {"Name": "b", "TimeoutMinutes": 1}]})
    assert problem.startswith("ImageBuilders[1]: TimeoutMinutes: must be")
