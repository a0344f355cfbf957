from typing import Any

import pytest

from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import ServiceError

NAME_PATTERN = "^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,100}$"
CREATE = {"Name": "b", "InstanceType": "i", "ImageName": "image"}
FAILED = "failed to satisfy constraint: Member must"


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("StartImageBuilder", {}, f"1 validation error detected: Value null at 'name' {FAILED} not be null"),
        ("StartImageBuilder", {"Name": None}, f"Value null at 'name' {FAILED} not be null"),
        ("StartImageBuilder", {"Name": ""}, f"Value '' at 'name' {FAILED} have length greater than or equal to 1"),
        (
            "StartImageBuilder",
            {"Name": "b", "AppstreamAgentVersion": "v" * 101},
            f"at 'appstreamAgentVersion' {FAILED} have length less than or equal to 100",
        ),
        (
            "CreateImageBuilder",
            {**CREATE, "Name": "no spaces"},
            f"Value 'no spaces' at 'name' {FAILED} satisfy regular expression pattern: {NAME_PATTERN}",
        ),
        ("CreateImageBuilder", {**CREATE, "Name": "b\n"}, "satisfy regular expression pattern"),
        (
            "CreateImageBuilder",
            {**CREATE, "AccessEndpoints": [{"EndpointType": "CARRIER_PIGEON"}]},
            f"'CARRIER_PIGEON' at 'accessEndpoints.1.member.endpointType' {FAILED} satisfy enum value set: [STREAMING]",
        ),
        ("CreateImageBuilder", {**CREATE, "AccessEndpoints": []}, "have length greater than or equal to 1"),
        ("CreateImageBuilder", {**CREATE, "AccessEndpoints": [{}]}, "'accessEndpoints.1.member.endpointType'"),
        ("CreateImageBuilder", {**CREATE, "Tags": {"aws:k": "v"}}, "satisfy constraint: [Member must satisfy regular"),
        ("CreateImageBuilder", {**CREATE, "Tags": {"k": "v" * 257}}, "at 'tags.k.member'"),
        ("CreateImageBuilder", {"ImageName": "i"}, "2 validation errors detected: Value null at 'name'"),
    ],
)
def test_a_broken_constraint_is_a_validation_error(
    double: FakeAppStream, operation: str, parameters: Any, message: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        double.call(operation, parameters)
    assert (caught.value.code, caught.value.status) == ("ValidationException", 400)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("StartImageBuilder", {"Name": 7}, "Name must be a string, not 7"),
        ("DescribeImageBuilders", {"Names": "b"}, "Names must be a list, not 'b'"),
        ("DescribeImageBuilders", {"MaxResults": True}, "MaxResults must be a integer, not True"),
        ("DescribeImageBuilders", {"Names": [1]}, "Names.1.member must be a string, not 1"),
        ("CreateImageBuilder", {**CREATE, "VpcConfig": []}, "VpcConfig must be an object"),
        ("CreateImageBuilder", {**CREATE, "Tags": {1: "v"}}, "Tags.key must be a string"),
        ("CreateImageBuilder", {**CREATE, "EnableDefaultInternetAccess": 1}, "must be a boolean"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(
    double: FakeAppStream, operation: str, parameters: Any, message: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        double.call(operation, parameters)
    assert (caught.value.code, caught.value.status) == ("SerializationException", 400)
    assert message in caught.value.message


def test_tags_may_be_in_any_script(double: FakeAppStream) -> None:
    double.call("CreateImageBuilder", {**CREATE, "Tags": {"Équipe 開発": "٣ a@b/c"}})


def test_unknown_members_and_null_are_ignored(double: FakeAppStream) -> None:
    double.put_builder("b")
    double.call("StartImageBuilder", {"Name": "b", "AppstreamAgentVersion": None, "Colour": {"deep": [1]}})
