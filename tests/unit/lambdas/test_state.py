import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.image_builder.errors import routed
from lambdas.image_builder.request import parse_request
from lambdas.image_builder.state import (
    MAX_BUILDER,
    PHASES,
    UNKNOWN_ADVICE,
    Claim,
    Phase,
    advice_for,
    poll_seconds,
    readable,
    status_of,
    status_of_start,
)

REQUEST = parse_request({"Name": "gold"})
MODEL: Any = boto3.client("appstream", region_name="us-east-1").meta.service_model


def status(builder: dict[str, Any], waited: int = 0, tracking: Any = None, **request: Any) -> Any:
    return status_of(builder, parse_request({"Name": "gold", **request}), tracking or {}, waited)


def modelled(enum: str) -> set[str]:
    return set(MODEL.shape_for(enum).enum)


# What botocore models


def test_every_state_that_botocore_models_has_a_phase() -> None:
    assert set(PHASES) == modelled("ImageBuilderState"), "new states, or states that AppStream no longer has"


@pytest.mark.parametrize(
    ("member", "enum"),
    [("StateChangeReason", "ImageBuilderStateChangeReasonCode"), ("ImageBuilderErrors", "FleetErrorCode")],
)
def test_every_code_that_botocore_models_has_advice(member: str, enum: str) -> None:
    without = {code for code in modelled(enum) if advice_for(member, code) == UNKNOWN_ADVICE}
    assert without == set(), "new codes: add them to advice.json"


# Whose start it is


@pytest.mark.parametrize(
    ("states", "claim"),
    [
        (["PENDING", "UPDATING_AGENT", "RUNNING"], Claim.CONFIRMED),
        (["RUNNING", "REBOOTING", "PENDING", "RUNNING"], Claim.CONFIRMED),
        (["RUNNING", "UPDATING", "RUNNING"], Claim.CONFIRMED),
        (["RUNNING", "SYNCING_APPS", "RUNNING"], Claim.CONFIRMED),
        (["RUNNING", "PENDING"], Claim.NONE),
        (["RUNNING", "UPDATING_AGENT"], Claim.NONE),
        (["RUNNING", "REBOOTING", "RUNNING", "PENDING"], Claim.NONE),
        (["RUNNING", "SNAPSHOTTING", "PENDING"], Claim.NONE),
        (["STOPPED"], Claim.NONE),
        (["PENDING", "STOPPING", "PENDING", "RUNNING"], Claim.NONE),
        (["DELETING"], Claim.NONE),
        (["FAILED"], Claim.NONE),
    ],
)
def test_a_claim_ends_with_the_state_that_shows_the_start_over(states: list[str], claim: Claim) -> None:
    tracking: Any = status_of_start({"State": "PENDING"}, REQUEST, {}, 0, before={"State": "STOPPED"})["Tracking"]
    for state in states:
        tracking = json.loads(json.dumps(status({"State": state}, tracking=tracking)["Tracking"]))
    assert tracking["Claim"] == claim


def test_a_start_whose_answer_was_lost_is_presumed_and_says_why() -> None:
    lost, stopped = routed("ServiceUnavailableException", "No answer.", sent=True), {"State": "STOPPED"}
    found = status_of_start(stopped, REQUEST, {}, 0, before=stopped, lost=lost)
    assert found["Tracking"]["Claim"] is Claim.PRESUMED
    assert found["LostAnswer"] == {
        **lost.report(),
        "Error": "ServiceUnavailableException",
        "Message": "The last call to start it got no clear answer. No answer.",
    }
    assert found["Result"]["Started"] is False
    assert "presumed" in found["Result"]["Advice"]


def test_a_builder_that_still_says_stopped_after_an_accepted_start_is_not_started_again() -> None:
    stopped = {"State": "STOPPED"}
    assert status_of_start(stopped, REQUEST, {}, 0, before=stopped)["Phase"] is Phase.TRANSITIONAL
    assert status(stopped)["Phase"] is Phase.STOPPED


# The next poll


@pytest.mark.parametrize(
    ("waited", "since_start", "request_", "seconds"),
    [
        (0, None, {}, 23),
        (0, 0, {}, 60),
        (60, 60, {}, 180),
        (239, 239, {}, 23),
        (400, 0, {}, 60),
        (640, 240, {}, 23),
        (0, 0, {"PollIntervalSeconds": 60}, 240),
        (0, 0, {"PollIntervalSeconds": 300}, 300),
        (1_200, None, {}, 30),
        (20_000, None, {"TimeoutMinutes": 720}, 300),
        (3_590, None, {}, 10),
        (3_600, None, {}, 0),
        (3_700, None, {}, 0),
    ],
)
def test_the_interval_grows_and_ends_at_the_deadline(
    waited: int, since_start: int | None, request_: dict[str, Any], seconds: int
) -> None:
    assert poll_seconds(waited, parse_request({"Name": "gold", **request_}), since_start=since_start) == seconds


# What is returned


def test_a_status_keeps_every_field_that_appstream_returns_with_timestamps_in_utc() -> None:
    paris = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=1)))
    builder: dict[str, Any] = dict.fromkeys(MODEL.shape_for("ImageBuilder").members, "text")
    builder |= {"NewerThanThisCode": [1, {"a": True}], "StateChangeReason": {}, "NetworkAccessConfiguration": {}}
    errors: Any = [{"ErrorTimestamp": datetime(2026, 2, 1, tzinfo=UTC)}]
    found = json.loads(json.dumps(status(builder | {"CreatedTime": paris, "ImageBuilderErrors": errors})))
    assert found["ImageBuilder"] == builder | {
        "CreatedTime": "2026-01-31T22:30:00Z",
        "ImageBuilderErrors": [{"ErrorTimestamp": "2026-02-01T00:00:00Z"}],
    }
    assert found["Seen"] == {"ImageBuilder": found["ImageBuilder"]}


@given(st.text(max_size=50), st.integers(0, 400), st.integers(0, 90))
def test_a_long_builder_is_cut_and_keeps_its_state_and_the_first_of_its_errors(
    text: str, length: int, errors: int
) -> None:
    message = text * length
    builder = {
        "Description": [message] * 100,
        "Name": "gold",
        "State": "FAILED",
        "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": message},
        "ImageBuilderErrors": [{"ErrorCode": f"X{number}", "ErrorMessage": message} for number in range(errors)],
    }
    kept = readable(builder)
    assert len(json.dumps(kept)) <= MAX_BUILDER
    assert (kept["Name"], kept["State"], kept["StateChangeReason"]["Code"]) == ("gold", "FAILED", "INTERNAL_ERROR")
    assert [error["ErrorCode"] for error in kept["ImageBuilderErrors"][:20]] == [
        f"X{n}" for n in range(min(errors, 20))
    ]


@pytest.mark.parametrize(
    ("interface", "phase"),
    [
        ({}, Phase.TRANSITIONAL),
        ({"EniId": "eni-1"}, Phase.TRANSITIONAL),
        ({"EniPrivateIpAddress": "10.0.0.4"}, Phase.RUNNING),
        ({"EniIpv6Addresses": ["2001:db8::1"]}, Phase.RUNNING),
    ],
)
def test_running_counts_only_with_a_network_interface_where_the_request_wants_one(
    interface: dict[str, Any], phase: Phase
) -> None:
    builder = {"State": "RUNNING", "NetworkAccessConfiguration": interface}
    found = status(builder, RequireNetworkInterface=True)
    assert found["Phase"] is phase
    assert "is RUNNING, but has no network interface after 60 minutes of waiting." in found["TimedOut"]["Message"]
    assert found["TimedOut"]["Advice"].startswith("It is billed now")
    assert status(builder)["Phase"] is Phase.RUNNING


@pytest.mark.parametrize(
    ("state", "route", "why"),
    [
        ("SOMETHING_NEW", "wait", "It is SOMETHING_NEW: a run would wait for it, and start it when it is STOPPED."),
        ("STOPPED", "start", "It is STOPPED: a run would start it."),
        ("RUNNING", "done", "It is RUNNING: a run would report that and do nothing."),
        ("FAILED", "notify", "It is FAILED, and cannot be started: a run would fail as ImageBuilderFailed."),
        ("DELETING", "fail", "It is being deleted: a run would fail as ImageBuilderDeleting."),
    ],
)
def test_a_dry_run_says_what_a_run_would_do_and_why(state: str, route: str, why: str) -> None:
    assert status({"State": state})["DryRun"] == {"WouldStart": state == "STOPPED", "Route": route, "Why": why}


# Problems


@pytest.mark.parametrize(
    ("claim", "waited", "outcome", "started"),
    [("None", 0, "AlreadyRunning", False), ("None", 23, "Running", False), ("Confirmed", 0, "Running", True)],
)
def test_the_result_says_whether_this_execution_started_it(
    claim: str, waited: int, outcome: str, started: bool
) -> None:
    result = status({"State": "RUNNING"}, waited, {"Claim": claim})["Result"]
    assert (result["Outcome"], result["Started"], result["WaitedSeconds"]) == (outcome, started, waited)


def test_a_failed_builder_is_explained_with_every_reported_code_and_its_advice() -> None:
    reason = {"Code": "INTERNAL_ERROR", "Message": "It broke."}
    errors = [{"ErrorCode": "SUBNET_NOT_FOUND", "ErrorMessage": "It is gone."}, {"ErrorCode": "IGW_NOT_ATTACHED"}]
    problem = status({"State": "FAILED", "StateChangeReason": reason, "ImageBuilderErrors": errors})["Problem"]
    said = "SUBNET_NOT_FOUND: It is gone. IGW_NOT_ATTACHED. INTERNAL_ERROR: It broke."
    assert problem["Message"] == f"The image builder is FAILED. {said}"
    for code in ("SUBNET_NOT_FOUND", "IGW_NOT_ATTACHED"):
        assert advice_for("ImageBuilderErrors", code) in problem["Advice"]
    # The code that does not say why has advice where it is alone.
    generic = advice_for("StateChangeReason", "INTERNAL_ERROR")
    assert generic not in problem["Advice"]
    unknown = {"State": "FAILED", "StateChangeReason": reason, "ImageBuilderErrors": [{"ErrorCode": "SOMETHING_NEW"}]}
    assert generic in status(unknown)["Problem"]["Advice"]
    assert status({"State": "FAILED"})["Problem"]["Message"] == (
        "The image builder is FAILED. AppStream gives no reason."
    )


@pytest.mark.parametrize(
    "reported",
    [
        {},
        {"StateChangeReason": {}, "ImageBuilderErrors": []},
        {"ImageBuilderErrors": [{}]},
        {"ImageBuilderErrors": [{"ErrorCode": "SOMETHING_NEW"}]},
    ],
)
def test_without_a_known_code_there_is_advice_and_never_to_start_a_failed_builder(reported: dict[str, Any]) -> None:
    failed, stopped = (status({"State": state, **reported})["Problem"]["Advice"] for state in ("FAILED", "STOPPED"))
    assert failed.startswith(UNKNOWN_ADVICE)
    assert failed.endswith("delete it, and create it again once this is fixed.")
    assert stopped.endswith("Start the execution again once this is fixed.")
