"""The double behind a boto3 client with no socket between: the client's own serializer, parser and retries run."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.appstream.protocol import respond
from local.appstream.service import AppStream, Dropped


class _Raw:
    """The part of an HTTP response that botocore reads."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        return [self._body]


def serve_in_process(client: Any, service: Callable[[], AppStream]) -> None:
    """Let a boto3 client talk to a double.

    Args:
        client: of AppStream.
        service: gives the double that the next call is for.
    """

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
        }
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        assert isinstance(body, bytes | bytearray), "no AppStream operation streams its input"
        try:
            response = respond(service(), urlsplit(request.url).path, headers, bytes(body))
        except Dropped:
            raise ConnectionClosedError(endpoint_url=request.url) from None
        if response.delay > client.meta.config.read_timeout:
            raise ReadTimeoutError(endpoint_url=request.url)
        return AWSResponse(
            request.url, response.status, HTTPHeaders.from_dict(dict(response.headers)), _Raw(response.body)
        )

    client.meta.events.register("before-send.appstream", send)
