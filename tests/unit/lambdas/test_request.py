import json

import cbor2
import pytest
from hypothesis import given, settings

from lambdas.image_builder.request import FIELDS, InvalidRequest, parse_request, parse_stop_request, short_name
from local.fake_appstream.model import input_shape, violations
from tests.contracts import REQUESTS, in_events

OFF = {
    "PollIntervalSeconds": 23,
    "NotifyOnSuccess": False,
    "RequireNetworkInterface": False,
    "StopOnFailure": False,
    "SkipTag": "Skip_Stop",
    "DryRun": False,
}


def refused(execution_input: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_request(execution_input)
    return str(caught.value)


def test_a_request_gets_its_defaults() -> None:
    assert parse_request({"Name": "gold"}) == {"Name": "gold", "TimeoutMinutes": 60, **OFF}


def test_every_field_is_kept() -> None:
    request = {
        "Name": "gold-2026.1_a",
        "AppstreamAgentVersion": "LATEST",
        "TimeoutMinutes": 720,
        "PollIntervalSeconds": 300,
        "NotifyOnSuccess": True,
        "RequireNetworkInterface": True,
        "StopAfterMinutes": 10_080,
        "StopOnFailure": True,
        "SkipTag": "Keep",
        "DryRun": True,
    }
    assert parse_request(request) == request


def test_an_integral_number_is_an_integer_as_in_json_schema() -> None:
    minutes = parse_request({"Name": "gold", "TimeoutMinutes": 45.0})["TimeoutMinutes"]
    assert minutes == 45
    assert isinstance(minutes, int)


def test_an_eventbridge_event_carries_the_request_in_its_detail() -> None:
    event = {"version": "0", "detail-type": "Start", "source": "my.app", "detail": {"Name": "gold"}}
    assert parse_request(event) == {"Name": "gold", "TimeoutMinutes": 60, **OFF}


def test_the_key_of_nested_executions_is_ignored() -> None:
    request = {"Name": "gold", "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "arn:aws:states:..."}
    assert parse_request(request) == {"Name": "gold", "TimeoutMinutes": 60, **OFF}


@pytest.mark.parametrize("whole_input", [None, [], [{"Name": "gold"}], "gold", "", 1, True])
def test_an_input_that_is_no_object_is_refused(whole_input: object) -> None:
    assert "must be a JSON object with at least Name" in refused(whole_input)


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "-gold", "gold\n", "g\u00f6ld", "\x00", "\ud800", "g" * 102, 1, None, ["gold"], {}]
)
def test_a_name_that_no_builder_can_have_is_refused(name: object) -> None:
    assert refused({"Name": name}).startswith("Name: must be the name of an image builder: 1 to 101")


@pytest.mark.parametrize("minutes", [4, 721, 0, -1, 5.5, True, "60", None, [60], float("nan"), float("inf")])
def test_a_timeout_outside_5_to_720_whole_minutes_is_refused(minutes: object) -> None:
    assert refused({"Name": "gold", "TimeoutMinutes": minutes}).startswith(
        "TimeoutMinutes: must be an integer from 5 to 720, not "
    )


@pytest.mark.parametrize("version", ["", "v" * 101, 1, None, "LATEST\n", "\ud800"])
def test_an_agent_version_that_cannot_be_sent_is_refused(version: object) -> None:
    assert refused({"Name": "gold", "AppstreamAgentVersion": version}).startswith(
        "AppstreamAgentVersion: must be a string of 1 to 100 printable characters"
    )


def test_a_missing_name_is_told_with_its_rule() -> None:
    assert refused({}).startswith("Name: is required: the name of an image builder")


def test_every_problem_is_named_at_once() -> None:
    message = refused({"Nmae": "gold", "TimeoutMinutes": 1, "AppstreamAgentVersion": ""})
    assert [problem.split(":")[0] for problem in message.split("; ")] == [
        "Name",
        "AppstreamAgentVersion",
        "TimeoutMinutes",
        '"Nmae"',
    ]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("name", "did you mean Name?"),
        ("timeoutminutes", "did you mean TimeoutMinutes?"),
        ("AgentVersion", "did you mean AppstreamAgentVersion?"),
        ("Colour", "the fields are Name, AppstreamAgentVersion, TimeoutMinutes, "),
    ],
)
def test_an_unknown_field_is_refused_with_a_hint(key: str, hint: str) -> None:
    assert refused({"Name": "gold", key: 1}).startswith(f'"{key}": is not a field of the request: {hint}')


@pytest.mark.parametrize("detail", [None, [], "gold", 1])
def test_an_event_whose_detail_is_no_object_is_refused(detail: object) -> None:
    assert refused({"detail-type": "Start", "detail": detail}).startswith("detail: must be the request")


def test_an_event_without_detail_is_refused() -> None:
    assert refused({"detail-type": "Start", "Name": "gold"}).startswith("detail: is required in an EventBridge event")


def test_the_message_of_a_hostile_input_stays_short() -> None:
    message = refused({f"{number}" * 1000: "x" * 100_000 for number in range(5_000)})
    assert len(message) < 6_000
    assert message.endswith("; and 4981 more")


NAMED = (*(f"{field}: " for field in FIELDS), "detail: ", "the input ", '"')


@settings(max_examples=1_500, deadline=None)
@given(in_events(REQUESTS))
def test_any_input_is_refused_by_field_or_is_one_that_the_api_accepts(execution_input: object) -> None:
    try:
        request = parse_request(execution_input)
    except InvalidRequest as refusal:
        message = str(refusal)
        request = None
    if request is None:
        assert message.startswith(NAMED)
        assert len(message) < 6_000
        return
    assert 5 <= request["TimeoutMinutes"] <= 720
    call = {key: value for key, value in request.items() if key != "TimeoutMinutes"}
    assert violations(call, input_shape("StartImageBuilder")) == []
    assert violations({"Names": [request["Name"]]}, input_shape("DescribeImageBuilders")) == []
    json.dumps(request).encode()
    cbor2.dumps(request)


@pytest.mark.parametrize("minutes", [0, 10_081, 1.5, True, "30", None])
def test_a_guard_is_for_1_to_10080_whole_minutes(minutes: object) -> None:
    said = refused({"Name": "gold", "StopAfterMinutes": minutes})
    assert said.startswith("StopAfterMinutes: must be an integer from 1 to 10080, not ")


@pytest.mark.parametrize("field", ["NotifyOnSuccess", "RequireNetworkInterface", "StopOnFailure", "DryRun"])
@pytest.mark.parametrize("value", ["true", 1, 0, None, []])
def test_an_option_is_on_or_off(field: str, value: object) -> None:
    assert refused({"Name": "gold", field: value}).startswith(f"{field}: must be true or false, not ")


def test_a_request_for_a_stop_has_a_contract_of_its_own() -> None:
    assert parse_stop_request({"Name": "gold"}) == {
        "Name": "gold",
        "StopAfterMinutes": 0,
        "TimeoutMinutes": 60,
        "SkipTag": "Skip_Stop",
    }
    given = {"Name": "gold", "StopAfterMinutes": 30.0, "TimeoutMinutes": 5, "SkipTag": "Keep"}
    assert parse_stop_request(given) == given
    with pytest.raises(InvalidRequest, match="StopAfterMinutes: must be an integer from 0 to 10080"):
        parse_stop_request({"Name": "gold", "StopAfterMinutes": -1})
    with pytest.raises(InvalidRequest, match="SkipTag: must be a tag key"):
        parse_stop_request({"Name": "gold", "SkipTag": "aws:x"})
    with pytest.raises(InvalidRequest, match='"DryRun": is not a field of the request'):
        parse_stop_request({"Name": "gold", "DryRun": True})


@pytest.mark.parametrize("length", [1, 73, 74, 80])
def test_a_short_name_leaves_room_for_purpose_and_attempt(length: int) -> None:
    name = "n" * length
    short = short_name(f"arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:{name}")
    assert len(f"{short}-stop-5") <= 80
    assert (short == name) is (length <= 73)


def test_two_long_names_that_begin_alike_stay_two() -> None:
    arn = "arn:aws:states:us-east-1:000000000000:execution:StartImageBuilder:"
    assert short_name(f"{arn}{'n' * 79}1") != short_name(f"{arn}{'n' * 79}2")
