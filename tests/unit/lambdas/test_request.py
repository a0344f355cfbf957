import json
from functools import partial

import cbor2
import pytest
from hypothesis import given, settings

from lambdas.image_builder.request import (
    FIELDS,
    STARTED_BY_EXECUTION,
    parse_request,
    parse_stop_request,
    short_name,
)
from local.fake_appstream.model import input_shape, violations
from tests.contracts import REQUESTS, in_events, refusal

refused = partial(refusal, parse_request)

DEFAULTS = {
    "Name": "gold",
    "TimeoutMinutes": 60,
    "PollIntervalSeconds": 23,
    "NotifyOnSuccess": False,
    "RequireNetworkInterface": False,
    "StopOnFailure": False,
    "SkipTag": "Skip_Stop",
    "DryRun": False,
}


@pytest.mark.parametrize(
    "execution_input",
    [
        {"Name": "gold"},
        {"version": "0", "detail-type": "Start", "source": "my.app", "detail": {"Name": "gold"}},
        {"Name": "gold", STARTED_BY_EXECUTION: "arn:aws:states:..."},
    ],
    ids=["plain", "in an event", "of a nested execution"],
)
def test_a_request_gets_its_defaults(execution_input: object) -> None:
    assert parse_request(execution_input) == DEFAULTS


def test_every_field_is_kept() -> None:
    request = {name: not value if isinstance(value, bool) else value for name, value in DEFAULTS.items()}
    request |= {"AppstreamAgentVersion": "LATEST", "TimeoutMinutes": 720, "StopAfterMinutes": 10_080, "SkipTag": "Keep"}
    assert parse_request(request) == request
    assert request.keys() == FIELDS.keys()


def test_a_request_for_a_stop_has_a_contract_of_its_own() -> None:
    defaults = {"Name": "gold", "StopAfterMinutes": 0, "TimeoutMinutes": 60, "SkipTag": "Skip_Stop"}
    assert parse_stop_request({"Name": "gold"}) == defaults
    given = {"Name": "gold", "StopAfterMinutes": 30, "TimeoutMinutes": 5, "SkipTag": "Keep"}
    assert parse_stop_request(given) == given
    problems = refusal(parse_stop_request, {"Name": "gold", "StopAfterMinutes": -1, "DryRun": True})
    assert problems.startswith("StopAfterMinutes: must be an integer from 0 to 10080, not -1; ")
    assert '"DryRun": is not a field of the request' in problems


def test_an_integral_number_is_an_integer_as_in_json_schema() -> None:
    minutes = parse_request({"Name": "gold", "TimeoutMinutes": 45.0})["TimeoutMinutes"]
    assert (minutes, type(minutes)) == (45, int)


# tests/unit/test_contracts.py has the bounds.
@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"Name": "a b"}, "Name: must be the name of an image builder: 1 to 101 letters, digits, "),
        ({"Name": "\ud800"}, "Name: must be the name of an image builder: 1 to 101 letters, digits, "),
        ({"Name": {"Password": "hunter2"}}, "Name: must be the name of an image builder: "),
        ({"TimeoutMinutes": 4}, "TimeoutMinutes: must be an integer from 5 to 720, not 4"),
        ({"TimeoutMinutes": float("nan")}, "TimeoutMinutes: must be an integer from 5 to 720, not NaN"),
        ({"TimeoutMinutes": float("inf")}, "TimeoutMinutes: must be an integer from 5 to 720, not Infinity"),
        ({"PollIntervalSeconds": 9}, "PollIntervalSeconds: must be an integer from 10 to 300, not 9"),
        ({"StopAfterMinutes": 0}, "StopAfterMinutes: must be an integer from 1 to 10080, not 0"),
        ({"AppstreamAgentVersion": "\ud800"}, "AppstreamAgentVersion: must be a string of 1 to 100 printable char"),
        ({"SkipTag": "aws:x"}, 'SkipTag: must be a tag key of 1 to 128 characters, not "aws:x"'),
        ({"DryRun": "true"}, 'DryRun: must be true or false, not "true"'),
        ({"name": 1}, '"name": is not a field of the request: did you mean Name?'),
        ({"timeoutminutes": 1}, '"timeoutminutes": is not a field of the request: did you mean TimeoutMinutes?'),
        ({"AgentVersion": 1}, '"AgentVersion": is not a field of the request: did you mean AppstreamAgentVersion?'),
        ({"Colour": 1}, '"Colour": is not a field of the request: the fields are Name, AppstreamAgentVersion, Timeo'),
        ({"detail-type": "Start"}, "detail: is required in an EventBridge event: the request, a JSON object with at "),
        (
            {"detail-type": "Start", "detail": []},
            "detail: must be the request, a JSON object with at least Name, not a",
        ),
    ],
)
def test_a_refused_request_is_explained_by_field_and_rule(fields: dict[str, object], problem: str) -> None:
    assert refused({"Name": "gold", **fields}).startswith(problem)
    assert "hunter2" not in refused({"Name": "gold", **fields})


def test_an_input_without_a_request_is_refused() -> None:
    assert refused([]) == "the input must be a JSON object with at least Name, not a list"
    assert refused({}).startswith("Name: is required: the name of an image builder")


def test_every_problem_is_named_at_once() -> None:
    message = refused({"Nmae": "gold", "TimeoutMinutes": 1, "AppstreamAgentVersion": ""})
    fields = [problem.partition(":")[0] for problem in message.split("; ")]
    assert fields == ["Name", "AppstreamAgentVersion", "TimeoutMinutes", '"Nmae"']


def test_the_message_of_a_hostile_input_stays_short() -> None:
    message = refused({f"{number}" * 1000: "x" * 100_000 for number in range(5_000)})
    assert len(message) < 6_000
    assert message.endswith("; and 4981 more")


NAMED = (*(f"{field}: " for field in FIELDS), "detail: ", "the input ", '"')


@settings(max_examples=1_500, deadline=None)
@given(in_events(REQUESTS))
def test_any_input_is_refused_by_field_or_is_one_that_the_api_accepts(execution_input: object) -> None:
    if problems := refused(execution_input):
        assert problems.startswith(NAMED)
        assert len(problems) < 6_000
        return
    request = parse_request(execution_input)
    assert 5 <= request["TimeoutMinutes"] <= 720
    call = {key: value for key, value in request.items() if key != "TimeoutMinutes"}
    assert violations(call, input_shape("StartImageBuilder")) == []
    assert violations({"Names": [request["Name"]]}, input_shape("DescribeImageBuilders")) == []
    json.dumps(request).encode()
    cbor2.dumps(request)


def test_a_short_name_leaves_room_for_purpose_and_attempt_and_stays_unique() -> None:
    arn = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:"
    for length in (1, 73, 74, 80):
        short = short_name(f"{arn}{'n' * length}")
        assert len(f"{short}-stop-5") <= 80
        assert (short == "n" * length) is (length <= 73)
    assert short_name(f"{arn}{'n' * 79}1") != short_name(f"{arn}{'n' * 79}2")
