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

REGION = "us-east-1"
ClientMaker = Callable[..., Any]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def double(clock: ManualClock) -> FakeAppStream:
    return FakeAppStream(clock)


@pytest.fixture
def server(double: FakeAppStream) -> Iterator[Server]:
    with Server(double) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def control(server: Server) -> Control:
    return Control(server.url)


@pytest.fixture
def make_client(monkeypatch: pytest.MonkeyPatch) -> Iterator[ClientMaker]:
    """Makes boto3 clients that do not retry, by default; `protocol` forces one."""
    with ExitStack() as stack:

        def make(protocol: str | None = None, endpoint_url: str | None = None, **config: Any) -> Any:
            session = boto3.Session(aws_access_key_id="id", aws_secret_access_key="secret", region_name=REGION)
            settings = Config(**{"retries": {"total_max_attempts": 1}, "proxies": {}, **config})
            with monkeypatch.context() as patch:
                if protocol:
                    patch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (protocol,))
                client = session.client("appstream", endpoint_url=endpoint_url, config=settings)
                assert protocol in (None, client.meta.service_model.resolved_protocol)
            stack.callback(client.close)
            return client

        yield make
