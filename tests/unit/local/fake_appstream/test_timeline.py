"""How the state of an image builder follows from the time."""

from typing import Any

import pytest

from local.fake_appstream.builders import LATEST_AGENT, Timeline
from local.fake_appstream.clock import ManualClock, ScaledClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import ServiceError
from local.fake_appstream.validation import Refused

FAILED = {
    "stages": [["PENDING", 120], ["FAILED", None]],
    "at_end": {
        "StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": "No."},
        "ImageBuilderErrors": [{"ErrorCode": "SUBNET_NOT_FOUND", "ErrorMessage": "Gone.", "ErrorTimestamp": 5}],
    },
}


def state(fake: FakeAppStream) -> str:
    return str(fake.call("DescribeImageBuilders", {"Names": ["b"]})["ImageBuilders"][0]["State"])


def test_a_started_builder_is_pending_then_running(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b")
    assert fake.call("StartImageBuilder", {"Name": "b"})["ImageBuilder"]["State"] == "PENDING"
    clock.advance(411.9)
    assert state(fake) == "PENDING"
    clock.advance(0.1)
    assert state(fake) == "RUNNING"
    clock.advance(10**9)
    assert state(fake) == "RUNNING"


def test_a_start_with_an_agent_version_updates_the_agent(fake: FakeAppStream, clock: ManualClock) -> None:
    before = fake.put_builder("b")
    assert before["LatestAppstreamAgentVersion"] == "FALSE"
    fake.call("StartImageBuilder", {"Name": "b", "AppstreamAgentVersion": "LATEST"})
    clock.advance(412)
    assert state(fake) == "UPDATING_AGENT"
    assert fake.builder("b")["AppstreamAgentVersion"] == before["AppstreamAgentVersion"]
    clock.advance(120)
    running = fake.builder("b")
    assert running["State"] == "RUNNING"
    assert (running["AppstreamAgentVersion"], running["LatestAppstreamAgentVersion"]) == (LATEST_AGENT, "TRUE")
    fake.call("StopImageBuilder", {"Name": "b"})
    assert fake.builder("b")["AppstreamAgentVersion"] == LATEST_AGENT


def test_a_stopped_builder_goes_through_stopping(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b", state="RUNNING")
    assert fake.call("StopImageBuilder", {"Name": "b"})["ImageBuilder"]["State"] == "STOPPING"
    clock.advance(180)
    assert state(fake) == "STOPPED"


@pytest.mark.parametrize(("seconds", "shown_at"), [(0, 412), (30, 442), (-30, 382)])
def test_the_network_interface_shows_so_long_after_running(
    fake: FakeAppStream, clock: ManualClock, seconds: float, shown_at: float
) -> None:
    fake.put_builder("b", durations={"network_interface": seconds})
    fake.call("StartImageBuilder", {"Name": "b"})
    clock.advance(shown_at - 1)
    assert "NetworkAccessConfiguration" not in fake.builder("b")
    clock.advance(1)
    shown = fake.builder("b")["NetworkAccessConfiguration"]
    assert shown["EniId"].startswith("eni-")
    clock.advance(1)
    assert fake.builder("b")["NetworkAccessConfiguration"] == shown


def test_durations_are_those_of_the_builder(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b", durations={"pending": 5, "stopping": 20})
    fake.call("StartImageBuilder", {"Name": "b"})
    clock.advance(5)
    fake.call("StopImageBuilder", {"Name": "b"})
    clock.advance(20)
    assert state(fake) == "STOPPED"


def test_a_scripted_start_happens_once(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b", next_start={**FAILED, "stages": [["PENDING", 120], ["STOPPED", None]]})
    fake.call("StartImageBuilder", {"Name": "b"})
    assert "StateChangeReason" not in fake.builder("b")
    clock.advance(120)
    fell_back = fake.builder("b")
    assert fell_back["State"] == "STOPPED"
    assert fell_back["StateChangeReason"]["Message"] == "No."
    assert fell_back["ImageBuilderErrors"][0]["ErrorTimestamp"] == 5
    fake.call("StartImageBuilder", {"Name": "b"})
    assert "StateChangeReason" not in fake.builder("b")
    clock.advance(412)
    assert state(fake) == "RUNNING"


def test_the_next_start_can_be_scripted_later(fake: FakeAppStream) -> None:
    fake.put_builder("b")
    fake.patch_builder("b", next_start="FAILED")
    fake.call("StartImageBuilder", {"Name": "b"})
    assert state(fake) == "FAILED"


def test_a_state_that_appstream_does_not_have_stays(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b", state="SOMETHING_NEW")
    clock.advance(10**6)
    assert state(fake) == "SOMETHING_NEW"


def test_stages_follow_one_another_and_after_the_last_the_builder_is_gone(
    fake: FakeAppStream, clock: ManualClock
) -> None:
    fake.put_builder("b", state=[["SNAPSHOTTING", 60], ["STOPPED", 60]])
    assert state(fake) == "SNAPSHOTTING"
    clock.advance(60)
    assert state(fake) == "STOPPED"
    clock.advance(60)
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        state(fake)
    assert fake.call("DescribeImageBuilders", {})["ImageBuilders"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "stages: must be at least one"),
        (7, "stages: must be a list of"),
        ([["PENDING"]], r"stages: must be a list of \[state, seconds\]"),
        ([["PENDING", None], ["RUNNING", None]], "seconds: must be at least 0, or null in the last stage, not None"),
        ([["PENDING", -1]], "seconds: must be at least 0, or null in the last stage, not -1"),
        ([["", 1]], "state: must be a string of at least 1 character"),
        ({"stages": [["FAILED", None]], "at_end": {"Colour": "red"}}, "at_end: .*Colour"),
        ({"stages": [["FAILED", None]], "at_end": {"ImageBuilderErrors": 1}}, "at_end: .*ImageBuilderErrors"),
        ({"steps": []}, "timeline: .*'?stages'?.*; it has stages, at_end"),
    ],
)
def test_a_timeline_that_is_impossible_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(Refused, match=message):
        Timeline.parse(settings)


def test_a_scaled_clock_runs_at_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    real = iter([100.0, 101.0])
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    monkeypatch.setattr("time.monotonic", lambda: next(real))
    assert ScaledClock(0.01).now() == 1_000_100.0


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_scale_that_is_not_positive_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale: must be more than 0"):
        ScaledClock(scale)
