"""The fake behind boto3 with no socket between: boto3's own serialiser, parser and retries run."""

from types import SimpleNamespace
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.fake import FakeAppStream


def install(fake: FakeAppStream, client: Any) -> None:
    """Answer the calls of a boto3 client, of AppStream or of the Resource Groups Tagging API.

    No delay is waited for. One beyond the client's read timeout raises ReadTimeoutError at once, after the operation
    had its effect; a dropped connection raises ConnectionClosedError. boto3 then retries as configured.
    """

    def send(request: Any, **_: Any) -> AWSResponse:
        target = request.headers["X-Amz-Target"]
        reply = fake.respond(target.decode() if isinstance(target, bytes) else target, request.body)
        if reply.delay > client.meta.config.read_timeout:
            raise ReadTimeoutError(endpoint_url=request.url)
        if reply.dropped:
            raise ConnectionClosedError(endpoint_url=request.url)
        # As much of urllib3's response as botocore reads.
        raw = SimpleNamespace(stream=lambda: [reply.body])
        return AWSResponse(request.url, reply.status, HTTPHeaders(), raw)

    for service in ("appstream", "resource-groups-tagging-api"):
        client.meta.events.register(f"before-send.{service}", send)
