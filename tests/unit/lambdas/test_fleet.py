import json
from collections.abc import Sequence
from fractions import Fraction
from math import ceil
from typing import Any

import pytest

from lambdas.image_builder.fleet import (
    CALLS_PER_SECOND,
    MAX_POLL_INTERVAL_SECONDS,
    MAX_WITH_MESSAGE,
    STATE_BYTES,
    distinct,
    failed_result,
    fleet,
    parse_fleet_request,
)
from lambdas.image_builder.stop import WAIT_SECONDS
from tests.contracts import refusal


def listed(execution_input: object, tagged: Sequence[str] = (), gone: Sequence[str] = ()) -> Any:
    return fleet(parse_fleet_request(execution_input), tagged, gone)


def names(count: int) -> list[str]:
    return [f"{number:03}".ljust(101, "n") for number in range(count)]


@pytest.mark.parametrize(
    ("count", "most", "interval"),
    [(1, 1_000, 23), (103, 1_000, 23), (104, 1_000, 24), (1_000, 1_000, 223), (1_000, 90, 23)],
)
def test_the_more_image_builders_a_fleet_has_the_longer_is_the_poll_interval(
    count: int, most: int, interval: int
) -> None:
    request = {"ImageBuilders": names(count), "MaxConcurrency": most}
    found = listed(request)
    assert (found["Defaults"], found["MaxConcurrency"]) == ({"PollIntervalSeconds": interval}, min(count, most))
    assert listed({**request, "Defaults": {"PollIntervalSeconds": 10}})["Defaults"] == {"PollIntervalSeconds": 10}


@pytest.mark.parametrize(
    ("count", "most"), [(1, 1), (100, 1_000), (500, 90), (900, 1_000), (1_000, 1_000), (1_000, 300)]
)
def test_a_fleet_and_its_auto_stops_together_poll_at_the_planned_rate(count: int, most: int) -> None:
    found = listed({"ImageBuilders": names(count), "Defaults": {"StopAfterMinutes": 60}, "MaxConcurrency": most})
    interval, at_once = found["Defaults"]["PollIntervalSeconds"], found["MaxConcurrency"]
    auto_stops = Fraction(count, WAIT_SECONDS)
    assert Fraction(at_once, interval) + auto_stops <= CALLS_PER_SECOND
    # No more rarely than that takes, and no fewer at the same time.
    assert interval == 23 or Fraction(at_once, interval - 1) + auto_stops > CALLS_PER_SECOND
    more = Fraction(at_once + 1, MAX_POLL_INTERVAL_SECONDS) + auto_stops
    assert at_once == min(count, most) or more > CALLS_PER_SECOND


def test_only_a_request_with_an_auto_stop_counts_as_one() -> None:
    mixed = [{"Name": name, "StopAfterMinutes": 5} for name in names(200)] + [{"Name": "last"}]
    found = listed({"ImageBuilders": mixed})
    assert found["Defaults"] == {"PollIntervalSeconds": ceil(201 / (CALLS_PER_SECOND - 200 / WAIT_SECONDS))}


def test_the_same_image_builder_named_again_is_one() -> None:
    assert distinct(["a", "b", "a", {"Name": "a"}, "a", "a"]) == [{"Name": "a"}, {"Name": "b"}]
    assert len(listed({"ImageBuilders": names(1_000) * 2})["Requests"]) == 1_000


DIFFERS = "ImageBuilders[2]: differs from the request in ImageBuilders[1] for the same image builder"


@pytest.mark.parametrize(
    ("execution_input", "problem"),
    [
        ({}, "ImageBuilders, Tag: exactly one of the two is required"),
        ({"ImageBuilders": ["a"], "Tag": {"Key": "k", "Value": "v"}}, "ImageBuilders, Tag: exactly one"),
        (
            {"ImageBuilders": ["a", {"detail-type": "x", "detail": {"Name": "b"}}], "Defaults": {"DryRun": True}},
            "ImageBuilders[1]: must be a name or a request, not an event",
        ),
        ({"ImageBuilders": []}, "ImageBuilders: must be a list of 1 to 1000 names or requests"),
        ({"ImageBuilders": names(1_001)}, "ImageBuilders: must be a list of 1 to 1000"),
        ({"ImageBuilders": ["a"], "Defaults": {"Name": "b"}}, "Defaults: must be an object with fields of a request o"),
        ({"ImageBuilders": ["a"], "Defaults": {"TimeoutMinutes": 1}}, "Defaults: TimeoutMinutes: must be an integer"),
        ({"ImageBuilders": ["a"], "Defaults": {"Night": 1}}, 'Defaults: "Night": is not a field of the request'),
        ({"Tag": {"Key": "k"}}, 'Tag: must be an object {"Key"'),
        ({"Tag": {"Key": "", "Value": "v"}}, "Tag: must be"),
        ({"Tag": {"Key": "k", "Value": 7}}, "Tag: must be"),
        ({"Tag": {"Key": "k", "Value": "v", "Password": "hunter2"}}, "two strings, not an object"),
        ({"ImageBuilders": {"Password": "hunter2"}}, "image builders, not an object"),
        ({"ImageBuilders": [{"Name": name, "x": "\u20ac" * 80} for name in names(720)]}, "at most 262144 bytes, not 2"),
        ({"ImageBuilders": ["b", "a", {"Name": "a", "DryRun": True}]}, DIFFERS),
        ({"ImageBuilders": ["b", {"Name": "a", "DryRun": 1}, {"Name": "a", "DryRun": True}]}, DIFFERS),
        ("a", "the input must be a JSON object with at least ImageBuilders"),
    ],
)
def test_an_invalid_fleet_is_refused_by_field(execution_input: object, problem: str) -> None:
    assert problem in refusal(listed, execution_input)
    assert "hunter2" not in refusal(listed, execution_input)


@pytest.mark.parametrize("count", [0, 1_001])
def test_a_tag_of_no_image_builder_or_of_too_many_is_refused(count: int) -> None:
    problem = refusal(lambda tag: listed(tag, names(count)), {"Tag": {"Key": "Patch", "Value": "tuesday\n"}})
    assert problem == f'Tag: 1 to 1000 image builders must have the tag "Patch": "tuesday\\n", not {count}'


ITEM = {"Index": 999, "Request": {"Name": "n" * 101}, "MessageLength": 1_000}


@pytest.mark.parametrize("count", [MAX_WITH_MESSAGE, 1_000])
def test_the_results_of_a_fleet_fit_into_a_state(count: int) -> None:
    found = listed({"Tag": {"Key": "k", "Value": "v"}}, names(count), names(200))
    cause = {"Route": "notify", "Message": "\U0001f600" * 9_000, "Advice": "Do."}
    result = failed_result({**ITEM, **found}, {"Error": "E" * 80, "Cause": json.dumps(cause)})
    assert ("Message" in result) is (count <= MAX_WITH_MESSAGE)
    size = len(json.dumps(result, ensure_ascii=False).encode())
    assert count * size + len(json.dumps(found["Gone"])) < STATE_BYTES - 500


DESCRIBED = {"ExecutionArn": "arn", "Status": "FAILED", "Error": "ImageBuilderFailed"}
OWN = {"Route": "notify", "Message": "It broke.", "Advice": "Fix it.", "OperatorsNotified": False}


@pytest.mark.parametrize(
    ("failure", "error", "message", "notified"),
    [
        ({**DESCRIBED, "Cause": json.dumps(OWN)}, "ImageBuilderFailed", "It broke.", True),
        ({**DESCRIBED, "Cause": '{"Message": 7}'}, "ImageBuilderFailed", '{"Message": 7}', True),
        ({"ExecutionArn": "arn", "Status": "TIMED_OUT"}, "States.Timeout", "Step Functions ended the execution", True),
        ({"ExecutionArn": "arn", "Status": "ABORTED", "Cause": "{night}"}, "Aborted", "Someone stopped the exec", True),
        # An emulator hands on the execution's own Error and Cause.
        (OWN, "States.TaskFailed", "It broke.", True),
        # Step Functions has cut the execution.
        (json.dumps({**DESCRIBED, "Input": "x" * 40_000})[:32_768], "States.TaskFailed", "ImageBuilderFailed", True),
        # The execution was not started.
        ("Execution Already Exists: 'arn'", "States.TaskFailed", "Execution Already Exists: 'arn'", False),
        (None, "States.TaskFailed", "No cause was given.", False),
    ],
)
def test_a_failure_is_read_from_any_cause(failure: Any, error: str, message: str, notified: bool) -> None:
    text = failure if isinstance(failure, str | None) else json.dumps(failure)
    result = failed_result(ITEM, {"Error": "States.TaskFailed", "Cause": text})
    assert message in result.pop("Message")
    assert result == {"Index": 999, "Name": "n" * 101, "Outcome": "Failed", "Error": error, "Notified": notified}
