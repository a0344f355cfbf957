"""The double behind boto3 with no socket between: boto3's own serialiser, parser and retries run."""

from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.protocol import respond

DEFAULT_READ_TIMEOUT = 60.0
"""Seconds; botocore's own default."""


def install(double: FakeAppStream, target: Any) -> None:
    """Answer the calls of a client, of AppStream or of tagging, or of every client that a session makes from now on.

    No delay is waited. One that a client would not wait for raises ReadTimeoutError at once, after the operation took
    effect; a dropped connection raises ConnectionClosedError. boto3 then retries as ever, and sleeps between its
    attempts unless it is configured not to retry.

    Args:
        double: who answers.
        target: a client of either, whose own read timeout then counts, or a boto3 Session, where botocore's default
            does.
    """
    client = hasattr(target, "meta")
    read_timeout = target.meta.config.read_timeout if client else DEFAULT_READ_TIMEOUT

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        response = respond(double, urlsplit(request.url).path, headers, _bytes(request.body))
        if read_timeout is not None and response.delay > read_timeout:
            raise ReadTimeoutError(endpoint_url=request.url)
        if response.dropped:
            raise ConnectionClosedError(endpoint_url=request.url)
        return AWSResponse(request.url, response.status, HTTPHeaders.from_dict(response.headers), _Raw(response.body))

    events = target.meta.events if client else target.events
    for service in ("appstream", "resource-groups-tagging-api"):
        events.register(f"before-send.{service}", send)


class _Raw:
    """As much of urllib3's response as botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        """The body in pieces."""
        return [self._body]


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(body: object) -> bytes:
    if isinstance(body, str):
        return body.encode()
    # AppStream has no streaming input, which alone would make it a file.
    assert body is None or isinstance(body, bytes | bytearray)  # nosec B101 # for the type checker
    return bytes(body or b"")
