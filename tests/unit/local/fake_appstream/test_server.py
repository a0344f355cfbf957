"""boto3 and the control interface against the fake over HTTP."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.control import Control
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.server import serving
from tests.unit.local.fake_appstream.conftest import ClientMaker


@pytest.fixture
def control(fake: FakeAppStream, monkeypatch: pytest.MonkeyPatch) -> Iterator[Control]:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with serving(fake) as url:
        yield Control(url)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection_is_closed_without_an_answer(
    control: Control, make_client: ClientMaker, when: str
) -> None:
    control.put_builder("b")
    control.add_fault(operation="StartImageBuilder", drop=when, times=1)
    client = make_client(endpoint_url=control.url)
    with pytest.raises(ConnectionClosedError):
        client.start_image_builder(Name="b")
    assert control.builder("b")["State"] == ("PENDING" if when == "after" else "STOPPED")
    assert client.describe_image_builders()["ImageBuilders"]
    client.close()


def test_a_delayed_answer_comes_too_late_for_a_client_that_does_not_wait(
    control: Control, make_client: ClientMaker
) -> None:
    control.put_builder("b")
    control.add_fault(delay=0.3, times=1)
    client = make_client(endpoint_url=control.url, read_timeout=0.05)
    with pytest.raises(ReadTimeoutError):
        client.start_image_builder(Name="b")
    assert control.calls()[0]["effective"]
    client.close()


def test_the_control_interface_does_what_the_fake_does(control: Control, fake: FakeAppStream) -> None:
    put = control.put_builder("b", state="REBOOTING", members={"Description": "d"}, tags={"k": "v"})
    assert put == fake.builder("b") == control.builder("b")
    control.add_fault(error={"code": "InternalFailure"})
    assert fake.reply("DescribeImageBuilders", {}).status == 500
    assert [call["operation"] for call in control.calls()] == ["DescribeImageBuilders"]


def test_the_control_interface_refuses_what_the_fake_does_not_have(control: Control) -> None:
    with pytest.raises(ValueError, match="'a'"):
        control.builder("a")
    with pytest.raises(ValueError, match="unexpected keyword argument 'colour'"):
        control.put_builder("b", colour="red")
    with pytest.raises(ValueError, match="unexpected keyword argument 'snoring'"):
        control.put_builder("b", durations={"snoring": 1})
    with pytest.raises(ValueError, match="unexpected keyword argument 'builder'"):
        control.add_fault(drop="after", builder="b")
