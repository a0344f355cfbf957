import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from lambdas.image_builder import state
from lambdas.image_builder.request import parse_request
from lambdas.image_builder.state import PHASES, UNKNOWN_ADVICE, Phase, advice_for, json_safe, phase_of, status_of

REQUEST = parse_request({"Name": "gold"})


def modelled(enum: str) -> set[str]:
    shape: Any = botocore.session.get_session().get_service_model("appstream").shape_for(enum)
    return set(shape.enum)


def test_every_state_that_botocore_models_has_a_phase() -> None:
    assert modelled("ImageBuilderState") - set(PHASES) == set(), "new states: classify them in PHASES"
    assert set(PHASES) - modelled("ImageBuilderState") == set(), "states that AppStream no longer has"


@pytest.mark.parametrize(
    ("member", "enum"),
    [("StateChangeReason", "ImageBuilderStateChangeReasonCode"), ("ImageBuilderErrors", "FleetErrorCode")],
)
def test_every_code_that_botocore_models_has_advice(member: str, enum: str) -> None:
    without = {code for code in modelled(enum) if advice_for(member, code) == UNKNOWN_ADVICE}
    assert without == set(), "new codes: add them to advice.json"


def test_a_state_nobody_has_heard_of_is_waited_out() -> None:
    assert phase_of({"State": "DREAMING"}) is Phase.TRANSITIONAL


def test_a_builder_that_still_says_stopped_after_an_accepted_start_is_not_started_again() -> None:
    assert status_of({"State": "STOPPED"}, REQUEST, before={"State": "STOPPED"})["Phase"] is Phase.TRANSITIONAL
    assert status_of({"State": "STOPPED"}, REQUEST)["Phase"] is Phase.STOPPED


def test_timestamps_become_iso_8601_in_utc_at_any_depth() -> None:
    paris = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=1)))
    value = {"CreatedTime": paris, "ImageBuilderErrors": [{"ErrorTimestamp": datetime(2026, 2, 1, tzinfo=UTC)}]}
    assert json_safe(value) == {
        "CreatedTime": "2026-01-31T22:30:00Z",
        "ImageBuilderErrors": [{"ErrorTimestamp": "2026-02-01T00:00:00Z"}],
    }


def test_a_look_keeps_every_field_that_appstream_returns_and_is_json() -> None:
    shape: Any = botocore.session.get_session().get_service_model("appstream").shape_for("ImageBuilder")
    builder: dict[str, Any] = dict.fromkeys(shape.members, "text")
    builder |= {"CreatedTime": datetime(2026, 2, 1, tzinfo=UTC), "NewerThanThisCode": [1, {"a": True}]}
    builder |= {"StateChangeReason": {}, "ImageBuilderErrors": []}
    look = json.loads(json.dumps(status_of(builder, REQUEST)))
    assert look["ImageBuilder"] == builder | {"CreatedTime": "2026-02-01T00:00:00Z"}


def test_a_failed_builder_is_explained_with_every_reported_code_and_its_advice() -> None:
    problem = status_of(
        {
            "State": "FAILED",
            "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": "It broke."},
            "ImageBuilderErrors": [
                {"ErrorCode": "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES", "ErrorMessage": "No addresses."},
                {"ErrorCode": "IGW_NOT_ATTACHED"},
            ],
        },
        REQUEST,
    )["Problem"]
    assert problem["Message"] == (
        "The image builder is FAILED. INTERNAL_ERROR: It broke.; "
        "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES: No addresses.; IGW_NOT_ATTACHED"
    )
    for member, code in [
        ("StateChangeReason", "INTERNAL_ERROR"),
        ("ImageBuilderErrors", "SUBNET_HAS_INSUFFICIENT_IP_ADDRESSES"),
        ("ImageBuilderErrors", "IGW_NOT_ATTACHED"),
    ]:
        assert advice_for(member, code) in problem["Advice"]


@pytest.mark.parametrize(
    "builder",
    [
        {"State": "FAILED"},
        {"State": "FAILED", "StateChangeReason": {}, "ImageBuilderErrors": []},
        {"State": "FAILED", "ImageBuilderErrors": [{}]},
        {"State": "FAILED", "ImageBuilderErrors": [{"ErrorCode": "NEVER_HEARD_OF"}]},
    ],
)
def test_a_failed_builder_without_a_known_code_still_gets_advice(builder: dict[str, Any]) -> None:
    assert status_of(builder, REQUEST)["Problem"]["Advice"].startswith(UNKNOWN_ADVICE)


def test_nobody_is_advised_to_start_a_builder_that_is_failed() -> None:
    reported = {"ImageBuilderErrors": [{"ErrorCode": "IGW_NOT_ATTACHED"}]}
    failed = status_of({"State": "FAILED", **reported}, REQUEST)["Problem"]["Advice"]
    stopped = status_of({"State": "STOPPED", **reported}, REQUEST)["Problem"]["Advice"]
    assert failed.endswith("create it anew once this is mended.")
    assert stopped.endswith("Once this is mended, start again.")
    table = json.loads((Path(state.__file__).parent / "advice.json").read_text("utf-8"))
    for codes in table.values():
        for entry in codes.values():
            assert "start the image builder" not in entry["Advice"].lower()


def test_running_counts_only_with_a_network_interface_where_the_request_wants_one() -> None:
    wanting = parse_request({"Name": "gold", "RequireNetworkInterface": True})
    bare: dict[str, Any] = {"State": "RUNNING"}
    for builder in (bare, bare | {"NetworkAccessConfiguration": {"EniId": "eni-1"}}):
        assert status_of(builder, wanting)["Phase"] is Phase.TRANSITIONAL
        assert status_of(builder, REQUEST)["Phase"] is Phase.RUNNING
    connected = bare | {"NetworkAccessConfiguration": {"EniPrivateIpAddress": "10.0.0.4"}}
    assert status_of(connected, wanting)["Phase"] is Phase.RUNNING


def test_a_look_keeps_the_agent_version_of_before_the_start() -> None:
    before, after = ({"State": "STOPPED", "AppstreamAgentVersion": version} for version in ("1", "2"))
    assert status_of(after, REQUEST, before=before)["AgentVersionBefore"] == "1"
    assert status_of(after, REQUEST)["AgentVersionBefore"] == "2"
    assert status_of({"State": "STOPPED"}, REQUEST)["AgentVersionBefore"] is None
