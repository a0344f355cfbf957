"""How the state of an image builder follows from the time."""

from typing import Any

import pytest

from local.fake_appstream.builders import IMAGE_AGENT, LATEST_AGENT
from local.fake_appstream.clock import ManualClock, ScaledClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import ServiceError


def state(fake: FakeAppStream) -> str:
    return str(fake.call("DescribeImageBuilders", {"Names": ["b"]})["ImageBuilders"][0]["State"])


LATEST = {"AppstreamAgentVersion": "LATEST"}
START, STOP = "StartImageBuilder", "StopImageBuilder"


@pytest.mark.parametrize(
    ("builder", "operation", "parameters", "stages"),
    [
        ({}, START, {}, [("PENDING", 412), ("RUNNING", 10**9)]),
        ({"durations": {"pending": 5}}, START, {}, [("PENDING", 5), ("RUNNING", 10**9)]),
        ({}, START, LATEST, [("PENDING", 412), ("UPDATING_AGENT", 120), ("RUNNING", 10**9)]),
        ({"state": "RUNNING"}, STOP, {}, [("STOPPING", 180), ("STOPPED", 10**9)]),
        ({"state": [["SNAPSHOTTING", 60], ["STOPPED", 60]]}, "", {}, [("SNAPSHOTTING", 60), ("STOPPED", 60)]),
    ],
)
def test_states_follow_one_another(
    fake: FakeAppStream, clock: ManualClock, builder: Any, operation: str, parameters: Any, stages: Any
) -> None:
    fake.put_builder("b", **builder)
    if operation:
        fake.call(operation, {"Name": "b", **parameters})
    for name, seconds in stages:
        assert state(fake) == name
        clock.advance(seconds - 1)
        assert state(fake) == name
        clock.advance(1)


def test_after_the_last_stage_the_builder_is_gone(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b", state=[["STOPPED", 60]])
    clock.advance(60)
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        state(fake)
    assert fake.call("DescribeImageBuilders", {})["ImageBuilders"] == []


def test_a_start_with_an_agent_version_updates_the_agent(fake: FakeAppStream, clock: ManualClock) -> None:
    def agent() -> tuple[str, str]:
        described = fake.builder("b")
        return described["AppstreamAgentVersion"], described["LatestAppstreamAgentVersion"]

    fake.put_builder("b")
    fake.call(START, {"Name": "b", **LATEST})
    clock.advance(412 + 119)
    assert agent() == (IMAGE_AGENT, "FALSE")
    clock.advance(1)
    assert agent() == (LATEST_AGENT, "TRUE")
    fake.call(STOP, {"Name": "b"})
    assert agent() == (LATEST_AGENT, "TRUE")


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
    at_end = {"StateChangeReason": {"Code": "INTERNAL_ERROR", "Message": "No."}}
    fake.put_builder("b", next_start={"stages": [["PENDING", 120], ["STOPPED", None]], "at_end": at_end})
    fake.call("StartImageBuilder", {"Name": "b"})
    assert "StateChangeReason" not in fake.builder("b")
    clock.advance(120)
    fell_back = fake.builder("b")
    assert {**fell_back, "State": "STOPPED", **at_end} == fell_back
    fake.call("StartImageBuilder", {"Name": "b"})
    assert "StateChangeReason" not in fake.builder("b")
    clock.advance(412)
    assert state(fake) == "RUNNING"


def test_a_scaled_clock_runs_at_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    real = iter([100.0, 101.0])
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    monkeypatch.setattr("time.monotonic", lambda: next(real))
    assert ScaledClock(0.01).now() == 1_000_100.0
