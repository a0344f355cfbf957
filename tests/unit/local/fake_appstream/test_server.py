"""The fake over HTTP."""

from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.control import Control
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.server import serving


@pytest.mark.parametrize(
    ("fault", "error", "state"),
    [
        ({"drop": "before"}, ConnectionClosedError, "STOPPED"),
        ({"drop": "after"}, ConnectionClosedError, "PENDING"),
        ({"delay": 0.3}, ReadTimeoutError, "PENDING"),
    ],
)
def test_an_answer_can_be_lost_or_late(
    fault: Any, error: type[Exception], state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    settings = Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=0.05)
    with serving(FakeAppStream(ManualClock())) as url:
        control, client = Control(url), boto3.client("appstream", endpoint_url=url, config=settings)
        control.put_builder("b")
        control.add_fault(operation="StartImageBuilder", **fault)
        with pytest.raises(error):
            client.start_image_builder(Name="b")
        assert control.builder("b")["State"] == state
        client.close()
