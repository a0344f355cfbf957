"""From an API request to its response, in the two protocols that AppStream's clients speak.

botocore's model of AppStream names Smithy RPC v2 CBOR first and AWS JSON 1.1 second; botocore itself prefers JSON of
the two (`botocore.utils.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS`). The answer comes in the protocol of the request. The
HTTP server and the in-process transport both answer by `respond` alone.
"""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import cbor2
from botocore.model import ListShape, Shape, StructureShape

from local.fake_appstream.fake import DEFAULT_REGION, FakeAppStream
from local.fake_appstream.model import TAGGING, ServiceError, output_shape, service_model

_CBOR_PATH = re.compile(r"/service/(?P<service>[^/]+)/operation/(?P<operation>[^/]+)")
_CREDENTIAL_SCOPE = re.compile(r"Credential=[^/,]+/\d{8}/(?P<region>[a-z0-9-]+)/")


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response.

    Attributes:
        status: the HTTP status.
        headers: by name.
        body: the content.
        delay: real seconds to wait before it is sent.
        dropped: nothing is sent; the connection closes.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    delay: float = 0.0
    dropped: bool = False


def respond(double: FakeAppStream, path: str, headers: Mapping[str, str], body: bytes) -> Response:
    """Answer one API request.

    Args:
        double: what is asked.
        path: of the request's URL.
        headers: of the request, by lower-case name.
        body: of the request.
    """
    cbor = _CBOR_PATH.fullmatch(path)
    operation = cbor["operation"] if cbor else _json_operation(headers)
    scope = _CREDENTIAL_SCOPE.search(headers.get("authorization", ""))
    content, refusal = None, None
    try:
        if "authorization" not in headers:
            raise ServiceError("MissingAuthenticationTokenException", "Missing Authentication Token")
        if cbor and cbor["service"] != service_model().metadata["targetPrefix"]:
            raise ServiceError("UnknownOperationException", f"There is no service {cbor['service']!r} here.")
        content = _decode(body, cbor is not None)
    except ServiceError as error:
        refusal = error
    reply = double.reply(operation, content, scope["region"] if scope else DEFAULT_REGION, refusal)
    error_headers = {}
    if reply.error:
        status = reply.error.status
        error_headers = {"x-amzn-errortype": reply.error.code}
        members: Any = {"__type": reply.error.code, "Message": reply.error.message}
    else:
        status = 200
        members = reply.members
    if cbor:
        protocol = {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        encoded = cbor2.dumps(members if reply.error or reply.dropped else _tagged(members, output_shape(operation)))
    else:
        protocol = {"Content-Type": "application/x-amz-json-1.1"}
        encoded = json.dumps(members).encode()
    request_id = {"x-amzn-requestid": str(uuid.UUID(int=reply.sequence))}
    return Response(status, {**protocol, **error_headers, **request_id}, encoded, reply.delay, reply.dropped)


def _json_operation(headers: Mapping[str, str]) -> str:
    prefix, _, operation = headers.get("x-amz-target", "").rpartition(".")
    spoken = prefix == (TAGGING if operation == "GetResources" else service_model().metadata["targetPrefix"])
    return operation if spoken else headers.get("x-amz-target", "")


def _decode(body: bytes, cbor: bool) -> Any:
    try:
        return (cbor2.loads(body) if cbor else json.loads(body)) if body else {}
    except (cbor2.CBORDecodeError, ValueError, RecursionError) as problem:
        raise ServiceError("SerializationException", f"The body cannot be read: {problem}") from None


def _tagged(value: Any, shape: Shape | None) -> Any:
    """The value with CBOR's tag for seconds since the epoch where the shape has a timestamp.

    A fault can answer what no shape allows; that goes out as it is.
    """
    if isinstance(shape, StructureShape) and isinstance(value, Mapping):
        return {name: _tagged(member, shape.members.get(name)) for name, member in value.items()}
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_tagged(item, shape.member) for item in value]
    if shape is not None and shape.type_name == "timestamp" and isinstance(value, int | float):
        return cbor2.CBORTag(1, value)
    return value
