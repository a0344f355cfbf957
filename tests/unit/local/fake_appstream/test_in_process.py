import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.faults import Delay, Drop, Error, Fault
from local.fake_appstream.in_process import install
from tests.unit.local.fake_appstream.conftest import REGION, ClientMaker

PROTOCOLS = ("json", "smithy-rpc-v2-cbor")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_talks_to_the_double_with_no_socket(
    double: FakeAppStream, clock: ManualClock, make_client: ClientMaker, protocol: str
) -> None:
    client = make_client(protocol, "http://nowhere.invalid")
    install(double, client)
    double.put_builder("b")
    assert client.start_image_builder(Name="b")["ImageBuilder"]["State"] == "PENDING"
    clock.advance(412)
    (builder,) = client.describe_image_builders(Names=["b"])["ImageBuilders"]
    assert builder["State"] == "RUNNING"
    assert builder["CreatedTime"].timestamp() == clock.now() - 412
    with pytest.raises(client.exceptions.OperationNotPermittedException):
        client.start_image_builder(Name="b")


def test_every_client_of_a_session_talks_to_the_double(double: FakeAppStream) -> None:
    session = boto3.Session(aws_access_key_id="id", aws_secret_access_key="secret", region_name=REGION)
    install(double, session)
    assert session.client("appstream").describe_image_builders()["ImageBuilders"] == []
    assert double.calls


def test_boto3_pages(double: FakeAppStream, make_client: ClientMaker) -> None:
    client = make_client()
    install(double, client)
    for number in range(60):
        double.put_builder(f"b{number:02}")
    first = client.describe_image_builders(MaxResults=50)
    rest = client.describe_image_builders(NextToken=first["NextToken"])
    names = [builder["Name"] for builder in first["ImageBuilders"] + rest["ImageBuilders"]]
    assert names == [f"b{number:02}" for number in range(60)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_drop_is_a_closed_connection(double: FakeAppStream, make_client: ClientMaker, when: str) -> None:
    client = make_client()
    install(double, client)
    double.put_builder("b")
    double.faults.add(Fault(Drop("before" if when == "before" else "after")))
    with pytest.raises(ConnectionClosedError):
        client.start_image_builder(Name="b")
    assert double.calls[0].effective == (when == "after")


def test_a_delay_beyond_the_read_timeout_raises_at_once(double: FakeAppStream, make_client: ClientMaker) -> None:
    client = make_client(read_timeout=5)
    install(double, client)
    double.put_builder("b")
    double.faults.add(Fault(Delay(1000), times=1))
    double.faults.add(Fault(Delay(4)))
    with pytest.raises(ReadTimeoutError):
        client.start_image_builder(Name="b")
    assert client.describe_image_builders()["ImageBuilders"][0]["State"] == "PENDING"


@pytest.mark.parametrize(("failures", "succeeds"), [(2, True), (3, False)])
def test_boto3_retries_as_it_is_configured_to(
    double: FakeAppStream,
    make_client: ClientMaker,
    monkeypatch: pytest.MonkeyPatch,
    failures: int,
    succeeds: bool,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = make_client(retries={"total_max_attempts": 3, "mode": "standard"})
    install(double, client)
    double.put_builder("b")
    double.faults.add(Fault(Error("ThrottlingException"), times=failures))
    if succeeds:
        assert client.start_image_builder(Name="b")["ResponseMetadata"]["RetryAttempts"] == failures
    else:
        with pytest.raises(ClientError, match="ThrottlingException"):
            client.start_image_builder(Name="b")
    assert len(double.calls) == 3


def test_a_retry_after_a_start_that_took_effect_is_refused(
    double: FakeAppStream, make_client: ClientMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    client = make_client(retries={"total_max_attempts": 2, "mode": "standard"})
    install(double, client)
    double.put_builder("b")
    double.faults.add(Fault(Drop("after"), times=1))
    with pytest.raises(client.exceptions.OperationNotPermittedException):
        client.start_image_builder(Name="b")
    assert [call.effective for call in double.calls] == [True, False]
