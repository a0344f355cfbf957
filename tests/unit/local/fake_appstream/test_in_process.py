"""boto3 against the fake with no socket between."""

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.faults import Fault
from tests.unit.local.fake_appstream.conftest import ClientMaker


def test_a_client_reaches_the_fake_with_no_socket(
    fake: FakeAppStream, clock: ManualClock, make_client: ClientMaker
) -> None:
    client = make_client()
    fake.put_builder("b", members={"ImageBuilderErrors": [{"ErrorCode": "SUBNET_NOT_FOUND", "ErrorTimestamp": 5}]})
    (stopped,) = client.describe_image_builders(Names=["b"])["ImageBuilders"]
    assert stopped["CreatedTime"].timestamp() == clock.now()
    assert stopped["ImageBuilderErrors"][0]["ErrorTimestamp"].timestamp() == 5
    assert client.start_image_builder(Name="b")["ImageBuilder"]["State"] == "PENDING"
    clock.advance(412)
    with pytest.raises(client.exceptions.OperationNotPermittedException, match="it is RUNNING, not STOPPED"):
        client.start_image_builder(Name="b")
    assert client.stop_image_builder(Name="b")["ImageBuilder"]["State"] == "STOPPING"
    with pytest.raises(ClientError, match="UnknownOperationException"):
        client.describe_fleets()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_drop_is_a_closed_connection(fake: FakeAppStream, make_client: ClientMaker, when: str) -> None:
    fake.put_builder("b")
    fake.faults.add(Fault.parse({"drop": when}))
    with pytest.raises(ConnectionClosedError):
        make_client().start_image_builder(Name="b")
    assert fake.calls[0].effective == (when == "after")


def test_a_delay_beyond_the_read_timeout_raises_at_once(fake: FakeAppStream, make_client: ClientMaker) -> None:
    client = make_client(read_timeout=5)
    fake.put_builder("b")
    fake.faults.add(Fault(delay=1000, times=1))
    fake.faults.add(Fault(delay=4))
    with pytest.raises(ReadTimeoutError):
        client.start_image_builder(Name="b")
    assert client.describe_image_builders()["ImageBuilders"][0]["State"] == "PENDING"
