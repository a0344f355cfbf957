"""From an HTTP request to an HTTP response, in both protocols that AppStream's clients speak.

AWS JSON 1.1 is what boto3 and the AWS CLI use; botocore's model also lists RPC v2 CBOR, which other SDKs prefer.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cbor2

from local.appstream.model import service_model
from local.appstream.service import AppStream, ServiceError

CBOR_PATH = re.compile(r"/service/\w+/operation/(\w+)")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response, and after how many real seconds it is sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: float = 0.0


def respond(service: AppStream, path: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Answer one API request.

    Args:
        service: what is asked.
        path: of the request.
        headers: of the request, with lower-case names.
        body: of the request.

    Raises:
        Dropped: there is to be no answer.
    """
    cbor = CBOR_PATH.fullmatch(path)
    status, delay, error = 200, 0.0, {}
    try:
        members = _call(service, cbor.group(1) if cbor else None, headers, body)
        content, delay = members.members, members.delay
    except ServiceError as problem:
        status = problem.status
        content = {"__type": problem.code, "Message": problem.message}
        error = {"x-amzn-errortype": problem.code}
    if cbor:
        kind = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        encoded = cbor2.dumps(content, datetime_as_timestamp=True)
    else:
        kind = {"Content-Type": "application/x-amz-json-1.1"}
        encoded = json.dumps(content, default=_timestamp).encode()
    request_id = {"x-amzn-requestid": f"00000000-0000-0000-0000-{len(service.calls):012d}"}
    return Response(status, {**kind, **error, **request_id}, encoded, delay)


def _call(service: AppStream, cbor_operation: str | None, headers: Mapping[str, str], body: bytes) -> Any:
    if "authorization" not in headers:
        raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
    scope = re.search(r"Credential=[^/]*/\d+/([a-z0-9-]+)/", headers["authorization"])
    try:
        parameters = cbor2.loads(body or b"\xa0") if cbor_operation else json.loads(body or b"{}")
    except Exception as problem:
        raise ServiceError("SerializationException", f"The body cannot be read: {problem}") from problem
    if not isinstance(parameters, dict):
        raise ServiceError("SerializationException", "The body must be an object.")
    operation = cbor_operation or headers.get("x-amz-target", "").removeprefix(
        f"{service_model().metadata['targetPrefix']}."
    )
    return service.call(operation, parameters, scope.group(1) if scope else "us-east-1")


def _timestamp(value: object) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    raise TypeError(f"{value!r} is no JSON")
