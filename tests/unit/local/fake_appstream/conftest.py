import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.control import Control
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.server import Server

ClientMaker = Callable[..., Any]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> FakeAppStream:
    return FakeAppStream(clock)


@pytest.fixture
def server(fake: FakeAppStream) -> Iterator[Server]:
    with Server(fake) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def control(server: Server) -> Control:
    return Control(server.url)


@pytest.fixture
def make_client() -> Iterator[ClientMaker]:
    """Makes boto3 clients, by default of AppStream and without retries."""
    with ExitStack() as stack:

        def make(endpoint_url: str = "http://no-host.invalid", service: str = "appstream", **config: Any) -> Any:
            session = boto3.Session("id", "secret", region_name="us-east-1")
            settings = Config(**{"retries": {"total_max_attempts": 1}, "proxies": {}, **config})
            client = session.client(service, endpoint_url=endpoint_url, config=settings)  # type: ignore[call-overload]  # by name
            stack.callback(client.close)
            return client

        yield make
