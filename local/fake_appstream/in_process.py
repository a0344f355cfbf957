"""The fake behind boto3 with no socket between: boto3's own serialiser, parser and retries run."""

from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.fake import FakeAppStream


def install(fake: FakeAppStream, client: Any) -> None:
    """Answer the calls of a boto3 client, of AppStream or of the Resource Groups Tagging API.

    No delay is waited for. One beyond the client's read timeout raises ReadTimeoutError at once, after the operation
    had its effect; a dropped connection raises ConnectionClosedError. boto3 then retries as configured.
    """

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        reply = fake.respond(_text(request.headers["X-Amz-Target"]), _text(request.body))
        if reply.delay > client.meta.config.read_timeout:
            raise ReadTimeoutError(endpoint_url=request.url)
        if reply.dropped:
            raise ConnectionClosedError(endpoint_url=request.url)
        return AWSResponse(request.url, reply.status, HTTPHeaders(), _Raw(reply.body))

    for service in ("appstream", "resource-groups-tagging-api"):
        client.meta.events.register(f"before-send.{service}", send)


class _Raw:
    """As much of urllib3's response as botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        """The body in pieces."""
        return [self._body]


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes | bytearray) else str(value)
