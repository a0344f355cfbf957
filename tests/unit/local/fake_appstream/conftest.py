from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.in_process import install

ClientMaker = Callable[..., Any]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def fake(clock: ManualClock) -> FakeAppStream:
    return FakeAppStream(clock)


@pytest.fixture
def make_client(fake: FakeAppStream) -> ClientMaker:
    """Makes boto3 clients of the fake, by default of AppStream, in process and without retries."""

    def make(service: str = "appstream", endpoint_url: str = "", **config: Any) -> Any:
        settings = Config(**{"retries": {"total_max_attempts": 1}, "proxies": {}, **config})
        client = boto3.client(service, endpoint_url=endpoint_url or None, config=settings)  # type: ignore[call-overload]  # by name
        if not endpoint_url:
            install(fake, client)
        return client

    return make
