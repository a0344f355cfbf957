from typing import Any

import pytest

from local.fake_appstream.builders import LATEST_AGENT, Durations, Life, Stage
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


def state(double: FakeAppStream, name: str = "b") -> str:
    return str(double.call("DescribeImageBuilders", {"Names": [name]})["ImageBuilders"][0]["State"])


def test_a_created_builder_is_pending_then_running(double: FakeAppStream, clock: ManualClock) -> None:
    request = {"Name": "b", "InstanceType": "stream.standard.medium", "ImageName": "AppStream-WinServer2019-01"}
    assert double.call("CreateImageBuilder", request)["ImageBuilder"]["State"] == "PENDING"
    clock.advance(411.9)
    assert state(double) == "PENDING"
    clock.advance(0.1)
    assert state(double) == "RUNNING"
    clock.advance(10**9)
    assert state(double) == "RUNNING"


def test_a_start_that_asks_for_an_agent_version_updates_the_agent(double: FakeAppStream, clock: ManualClock) -> None:
    before = double.put_builder("b")
    assert before["LatestAppstreamAgentVersion"] == "FALSE"
    double.call("StartImageBuilder", {"Name": "b", "AppstreamAgentVersion": "LATEST"})
    clock.advance(412)
    assert state(double) == "UPDATING_AGENT"
    assert double.builder("b")["AppstreamAgentVersion"] == before["AppstreamAgentVersion"]
    clock.advance(120)
    running = double.builder("b")
    assert running["State"] == "RUNNING"
    assert (running["AppstreamAgentVersion"], running["LatestAppstreamAgentVersion"]) == (LATEST_AGENT, "TRUE")
    double.call("StopImageBuilder", {"Name": "b"})
    assert double.builder("b")["AppstreamAgentVersion"] == LATEST_AGENT


def test_a_stopped_builder_goes_through_stopping(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b", state="RUNNING")
    assert double.call("StopImageBuilder", {"Name": "b"})["ImageBuilder"]["State"] == "STOPPING"
    clock.advance(180)
    assert state(double) == "STOPPED"


def test_a_deleted_builder_is_gone_and_its_name_free(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b")
    assert double.call("DeleteImageBuilder", {"Name": "b"})["ImageBuilder"]["State"] == "DELETING"
    clock.advance(120)
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        state(double)
    assert double.call("DescribeImageBuilders")["ImageBuilders"] == []
    double.call("CreateImageBuilder", {"Name": "b", "InstanceType": "i", "ImageName": "image"})
    assert double.calls[-1].effective


@pytest.mark.parametrize(("seconds", "shown_at"), [(0, 412), (30, 442), (-30, 382)])
def test_the_network_interface_shows_when_it_is_told_to(
    double: FakeAppStream, clock: ManualClock, seconds: float, shown_at: float
) -> None:
    double.put_builder("b", durations={"network_interface": seconds})
    double.call("StartImageBuilder", {"Name": "b"})
    clock.advance(shown_at - 1)
    assert "NetworkAccessConfiguration" not in double.builder("b")
    clock.advance(1)
    shown = double.builder("b")["NetworkAccessConfiguration"]
    assert shown["EniId"].startswith("eni-")
    clock.advance(1)
    assert double.builder("b")["NetworkAccessConfiguration"] == shown


def test_a_builder_in_no_subnet_has_no_network_interface(double: FakeAppStream, clock: ManualClock) -> None:
    double.call("CreateImageBuilder", {"Name": "b", "InstanceType": "i", "ImageName": "image"})
    clock.advance(1000)
    assert "NetworkAccessConfiguration" not in double.builder("b")


def test_durations_are_those_of_the_builder_over_those_of_the_double(clock: ManualClock) -> None:
    double = FakeAppStream(clock, durations=Durations(pending=10, stopping=20))
    double.put_builder("b", durations={"pending": 5})
    double.call("StartImageBuilder", {"Name": "b"})
    clock.advance(5)
    double.call("StopImageBuilder", {"Name": "b"})
    clock.advance(20)
    assert state(double) == "STOPPED"


def test_a_scripted_start_is_lived_once(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b", next_start=FAILED)
    double.call("StartImageBuilder", {"Name": "b"})
    assert "StateChangeReason" not in double.builder("b")
    clock.advance(120)
    failed = double.builder("b")
    assert failed["State"] == "FAILED"
    assert failed["StateChangeReason"]["Message"] == "No."
    assert failed["ImageBuilderErrors"][0]["ErrorTimestamp"] == 5
    double.patch_builder("b", state="STOPPED")
    assert "StateChangeReason" not in double.builder("b")
    double.call("StartImageBuilder", {"Name": "b"})
    clock.advance(412)
    assert state(double) == "RUNNING"


def test_a_state_that_appstream_does_not_have_sticks(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b", state="DAYDREAMING")
    clock.advance(10**6)
    assert state(double) == "DAYDREAMING"


def test_a_state_can_be_followed_by_others(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b", state=[["SNAPSHOTTING", 60], ["STOPPED", None]])
    assert state(double) == "SNAPSHOTTING"
    clock.advance(60)
    assert state(double) == "STOPPED"


def test_a_life_that_ends_leaves_no_builder(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b", state=[["REBOOTING", 60]])
    clock.advance(60)
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        state(double)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ([], "stages: must be at least one"),
        (7, "stages: must be a list of"),
        ([["PENDING"]], r"stages: must be a list of \[state, seconds\]"),
        ([["PENDING", None], ["RUNNING", None]], "seconds: must be a number in every stage but the last"),
        ([["PENDING", -1]], "seconds: must be null or a number of at least 0, not -1"),
        ([["", 1]], "state: must be a string of at least 1 character"),
        ({"stages": [["FAILED", None]], "at_end": {"Colour": "red"}}, "at_end: has no 'Colour'"),
        ({"stages": [["FAILED", None]], "at_end": {"ImageBuilderErrors": 1}}, "at_end: ImageBuilderErrors must be a l"),
        ({"steps": []}, "life: has no 'steps'"),
    ],
)
def test_a_life_that_cannot_be_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(Refused, match=message):
        Life.parse(settings)


def test_a_life_can_be_made_in_python() -> None:
    life = Life((Stage("PENDING", 1), Stage("FAILED")))
    assert Life.parse(life) is life
    assert Life.parse([Stage("PENDING", 1), ("FAILED", None)]) == life


@pytest.mark.parametrize("durations", [{"pending": -1}, {"deleting": "2"}, {"network_interface": None}, {"napping": 1}])
def test_a_duration_that_cannot_be_is_refused(durations: Any) -> None:
    with pytest.raises(Refused, match=f"^durations.*{next(iter(durations))}"):
        Durations().changed(durations)


def test_a_scaled_clock_runs_at_its_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    real = iter([100.0, 101.0])
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    monkeypatch.setattr("time.monotonic", lambda: next(real))
    assert ScaledClock(0.01).now() == 1_000_100.0


@pytest.mark.parametrize("scale", [0, -1, float("nan")])
def test_a_scale_that_cannot_be_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scale: must be more than 0"):
        ScaledClock(scale)
