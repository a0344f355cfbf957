"""How the state of an image builder follows from the time."""

import pytest

from local.fake_appstream.builders import LATEST_AGENT
from local.fake_appstream.clock import ManualClock, ScaledClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import ServiceError

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


@pytest.mark.parametrize(("durations", "seconds"), [({}, 180), ({"stopping": 20}, 20)])
def test_a_stopped_builder_goes_through_stopping(
    fake: FakeAppStream, clock: ManualClock, durations: dict[str, float], seconds: float
) -> None:
    fake.put_builder("b", state="RUNNING", durations=durations)
    assert fake.call("StopImageBuilder", {"Name": "b"})["ImageBuilder"]["State"] == "STOPPING"
    clock.advance(seconds - 1)
    assert state(fake) == "STOPPING"
    clock.advance(1)
    assert state(fake) == "STOPPED"


@pytest.mark.parametrize(("seconds", "shown_at"), [(0, 412), (30, 442)])
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


def test_a_scaled_clock_runs_at_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    real = iter([100.0, 101.0])
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    monkeypatch.setattr("time.monotonic", lambda: next(real))
    assert ScaledClock(0.01).now() == 1_000_100.0
