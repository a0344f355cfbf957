import json
from datetime import UTC, datetime
from typing import Any

import cbor2
import pytest
from botocore.exceptions import ClientError

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.protocol import Response, respond
from local.fake_appstream.server import Server
from tests.unit.local.fake_appstream.conftest import ClientMaker

AUTHORIZATION = "AWS4-HMAC-SHA256 Credential=id/20260131/eu-west-1/appstream/aws4_request, SignedHeaders=h, Signature=s"
PROTOCOLS = ("json", "smithy-rpc-v2-cbor")


def ask(double: FakeAppStream, protocol: str, operation: str, content: Any, **headers: str) -> Response:
    headers = {"authorization": AUTHORIZATION, **headers}
    if protocol == "json":
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        return respond(double, "/", {"x-amz-target": f"PhotonAdminProxyService.{operation}", **headers}, body)
    body = content if isinstance(content, bytes) else cbor2.dumps(content)
    return respond(double, f"/service/PhotonAdminProxyService/operation/{operation}", headers, body)


def read(response: Response) -> Any:
    if response.headers["Content-Type"] == "application/cbor":
        assert response.headers["smithy-protocol"] == "rpc-v2-cbor"
        return cbor2.loads(response.body)
    assert response.headers["Content-Type"] == "application/x-amz-json-1.1"
    return json.loads(response.body)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_boto3_plays_a_whole_life_over_http(
    server: Server, clock: ManualClock, make_client: ClientMaker, protocol: str
) -> None:
    client = make_client(protocol, server.url)
    created = client.create_image_builder(
        Name="b", InstanceType="stream.standard.medium", ImageName="image", Tags={"k": "v"}
    )["ImageBuilder"]
    assert created["State"] == "PENDING"
    assert created["CreatedTime"] == datetime.fromtimestamp(clock.now(), UTC)
    clock.advance(412)
    assert client.create_image_builder_streaming_url(Name="b")["Expires"] > created["CreatedTime"]
    client.stop_image_builder(Name="b")
    clock.advance(180)
    assert client.start_image_builder(Name="b")["ImageBuilder"]["State"] == "PENDING"
    arn = created["Arn"]
    client.tag_resource(ResourceArn=arn, Tags={"k": "w"})
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == {"k": "w"}
    client.untag_resource(ResourceArn=arn, TagKeys=["k"])
    with pytest.raises(client.exceptions.OperationNotPermittedException):
        client.delete_image_builder(Name="b")
    (described,) = client.describe_image_builders(Names=["b"])["ImageBuilders"]
    assert described["ImageBuilderErrors"] == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_boto3_raises_the_modelled_exception(server: Server, make_client: ClientMaker, protocol: str) -> None:
    client = make_client(protocol, server.url)
    with pytest.raises(client.exceptions.ResourceNotFoundException) as caught:
        client.start_image_builder(Name="b")
    response = caught.value.response
    assert response["Error"] == {
        "Code": "ResourceNotFoundException",
        "Message": "The image builder b does not exist.",
    }
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 404
    assert response["ResponseMetadata"]["RequestId"] == "00000000-0000-0000-0000-000000000001"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_boto3_raises_client_error_for_an_operation_not_offered(
    server: Server, make_client: ClientMaker, protocol: str
) -> None:
    with pytest.raises(ClientError, match=r"UnknownOperationException.*DescribeFleets is not offered by this double"):
        make_client(protocol, server.url).describe_fleets()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_region_is_the_one_that_the_request_is_signed_for(double: FakeAppStream, protocol: str) -> None:
    request = {"Name": "b", "InstanceType": "i", "ImageName": "image"}
    created = read(ask(double, protocol, "CreateImageBuilder", request))
    assert created["ImageBuilder"]["Arn"].startswith("arn:aws:appstream:eu-west-1:")
    assert double.calls[0].region == "eu-west-1"


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("body", [b"\xff", b"[1]", b"\x81\x01", b"[" * 100_000, b"\x81" * 100_000, b'"text"', b"\x01"])
def test_a_body_that_is_no_object_is_a_serialization_error(double: FakeAppStream, protocol: str, body: bytes) -> None:
    response = ask(double, protocol, "StartImageBuilder", body)
    assert (response.status, read(response)["__type"]) == (400, "SerializationException")
    assert response.headers["x-amzn-errortype"] == "SerializationException"
    assert double.calls[0].outcome == "SerializationException"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_empty_body_is_an_empty_object(double: FakeAppStream, protocol: str) -> None:
    assert read(ask(double, protocol, "DescribeImageBuilders", b"")) == {"ImageBuilders": []}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_unknown_operation_is_an_error(double: FakeAppStream, protocol: str) -> None:
    response = ask(double, protocol, "MakeCoffee", {})
    assert (response.status, read(response)["__type"]) == (400, "UnknownOperationException")


@pytest.mark.parametrize("path", ["/", "/service/AnotherService/operation/StartImageBuilder"])
def test_another_service_is_unknown(double: FakeAppStream, path: str) -> None:
    headers = {"authorization": AUTHORIZATION, "x-amz-target": "AnotherService.StartImageBuilder"}
    double.put_builder("b", region="eu-west-1")
    body = cbor2.dumps({"Name": "b"}) if "service" in path else b'{"Name": "b"}'
    response = respond(double, path, headers, body)
    assert read(response)["__type"] == "UnknownOperationException"
    assert not double.calls[0].effective


@pytest.mark.parametrize("path", ["/", "/service/PhotonAdminProxyService/operation/DescribeImageBuilders"])
def test_an_unsigned_request_is_refused(double: FakeAppStream, path: str) -> None:
    response = respond(double, path, {"x-amz-target": "PhotonAdminProxyService.DescribeImageBuilders"}, b"")
    assert (response.status, read(response)["__type"]) == (403, "MissingAuthenticationTokenException")


def test_timestamps_are_numbers_in_json_and_tagged_in_cbor(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b", region="eu-west-1", members={"ImageBuilderErrors": [{"ErrorTimestamp": 5}]})
    (in_json,) = read(ask(double, "json", "DescribeImageBuilders", {}))["ImageBuilders"]
    assert in_json["CreatedTime"] == clock.now()
    (in_cbor,) = read(ask(double, "cbor", "DescribeImageBuilders", {}))["ImageBuilders"]
    assert in_cbor["CreatedTime"] == datetime.fromtimestamp(clock.now(), UTC)
    assert in_cbor["ImageBuilderErrors"] == [{"ErrorTimestamp": datetime.fromtimestamp(5, UTC)}]
