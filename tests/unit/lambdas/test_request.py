from functools import partial

import pytest

from lambdas.image_builder.request import STARTED_BY_EXECUTION, parse_request, short_name
from tests.contracts import refusal

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


def test_an_integral_number_is_an_integer_as_in_json_schema() -> None:
    minutes = parse_request({"Name": "gold", "TimeoutMinutes": 45.0})["TimeoutMinutes"]
    assert (minutes, type(minutes)) == (45, int)


# tests/unit/test_contracts.py has the bounds.
@pytest.mark.parametrize(
    ("execution_input", "problem"),
    [
        ([], "the input must be a JSON object with at least Name, not a list"),
        ({}, "Name: is required: the name of an image builder: 1 to 101 letters, digits, "),
        ({"Name": "\ud800"}, "Name: must be the name of an image builder: 1 to 101 letters, digits, "),
        ({"Name": {"Password": "hunter2"}}, "Name: must be the name of an image builder: "),
        ({"Name": "g", "TimeoutMinutes": 4}, "TimeoutMinutes: must be an integer from 5 to 720, not 4"),
        ({"Name": "g", "TimeoutMinutes": float("nan")}, "TimeoutMinutes: must be an integer from 5 to 720, not NaN"),
        ({"Name": "g", "AppstreamAgentVersion": "\ud800"}, "AppstreamAgentVersion: must be a string of 1 to 100 print"),
        ({"Name": "g", "SkipTag": "aws:x"}, 'SkipTag: must be a tag key of 1 to 128 characters, not "aws:x"'),
        ({"Name": "g", "DryRun": "true"}, 'DryRun: must be true or false, not "true"'),
        ({"Name": "g", "timeoutminutes": 1}, '"timeoutminutes": is not a field of the request: did you mean Timeout'),
        ({"Name": "g", "Colour": 1}, '"Colour": is not a field of the request: the fields are Name, AppstreamAgentV'),
        ({"Name": "g", "x" * 70: "hunter2"}, f'"{"x" * 59}...: is not a field of the request'),
        (
            {"detail-type": "Start", "detail": {"Name": "g"}, "DryRun": True, "Name": "h"},
            "Name, DryRun: must be inside detail",
        ),
        ({"detail-type": "Start"}, "detail: must be the request, a JSON object with at least Name, not null"),
    ],
)
def test_a_refused_request_is_explained_by_field_and_rule(execution_input: object, problem: str) -> None:
    assert refused(execution_input).startswith(problem)
    assert "hunter2" not in refused(execution_input)


def test_every_problem_is_named_at_once() -> None:
    message = refused({"Nmae": "gold", "TimeoutMinutes": 1, "AppstreamAgentVersion": ""})
    fields = [problem.partition(":")[0] for problem in message.split("; ")]
    assert fields == ["Name", "AppstreamAgentVersion", "TimeoutMinutes", '"Nmae"']


def test_a_short_name_leaves_room_for_purpose_and_attempt_and_stays_unique() -> None:
    arn = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:"
    for length in (1, 73, 74, 80):
        short = short_name(f"{arn}{'n' * length}")
        assert len(f"{short}-stop-5") <= 80
        assert (short == "n" * length) is (length <= 73)
    assert short_name(f"{arn}{'n' * 79}1") != short_name(f"{arn}{'n' * 79}2")
