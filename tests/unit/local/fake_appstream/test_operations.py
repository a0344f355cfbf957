import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from local.fake_appstream.builders import ImageBuilder
from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import ServiceError, image_builder_shape
from local.fake_appstream.validation import Refused

CREATE = {"Name": "b", "InstanceType": "stream.standard.medium", "ImageName": "AppStream-WinServer2019-01"}
ARN = "arn:aws:appstream:us-east-1:000000000000:image-builder/b"
STATES = [*image_builder_shape().members["State"].metadata["enum"], "DAYDREAMING"]


def error(double: FakeAppStream, operation: str, parameters: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        double.call(operation, parameters)
    return caught.value


@pytest.mark.parametrize(
    ("operation", "permitted"),
    [
        ("StartImageBuilder", ["STOPPED"]),
        ("StopImageBuilder", ["RUNNING"]),
        ("DeleteImageBuilder", ["STOPPED", "FAILED"]),
        ("CreateImageBuilderStreamingURL", ["RUNNING"]),
    ],
)
@pytest.mark.parametrize("state", STATES)
def test_an_operation_needs_its_states(double: FakeAppStream, operation: str, permitted: list[str], state: str) -> None:
    double.put_builder("b", state=state)
    if state in permitted:
        double.call(operation, {"Name": "b"})
    else:
        refusal = error(double, operation, {"Name": "b"})
        assert (refusal.code, refusal.status) == ("OperationNotPermittedException", 400)
        assert state in refusal.message
        assert not double.calls[-1].effective


def test_what_a_start_answers_when_not_stopped_can_be_set(clock: ManualClock) -> None:
    double = FakeAppStream(clock, start_refusal="ResourceInUseException")
    double.put_builder("b", state="RUNNING")
    assert error(double, "StartImageBuilder", {"Name": "b"}).code == "ResourceInUseException"
    double.put_builder("b", state="STOPPED")
    assert error(double, "StopImageBuilder", {"Name": "b"}).code == "OperationNotPermittedException"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("StartImageBuilder", {"Name": "b"}),
        ("StopImageBuilder", {"Name": "b"}),
        ("DeleteImageBuilder", {"Name": "b"}),
        ("CreateImageBuilderStreamingURL", {"Name": "b"}),
        ("DescribeImageBuilders", {"Names": ["there", "b"]}),
        ("ListTagsForResource", {"ResourceArn": ARN}),
        ("TagResource", {"ResourceArn": ARN, "Tags": {"k": "v"}}),
        ("UntagResource", {"ResourceArn": ARN, "TagKeys": ["k"]}),
    ],
)
def test_a_builder_that_is_not_there_is_not_found(double: FakeAppStream, operation: str, parameters: Any) -> None:
    double.put_builder("there")
    missing = error(double, operation, parameters)
    assert (missing.code, missing.status) == ("ResourceNotFoundException", 404)


def test_a_created_builder_has_what_was_asked_for(double: FakeAppStream, clock: ManualClock) -> None:
    asked = {
        "Description": "d",
        "DisplayName": "B",
        "VpcConfig": {"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]},
        "IamRoleArn": "arn:aws:iam::000000000000:role/r",
        "DomainJoinInfo": {"DirectoryName": "corp.example.com"},
        "AccessEndpoints": [{"EndpointType": "STREAMING", "VpceId": "vpce-1"}],
        "EnableDefaultInternetAccess": True,
    }
    created = double.call("CreateImageBuilder", {**CREATE, **asked, "Tags": {"k": "v"}})["ImageBuilder"]
    assert created == {
        **asked,
        "Name": "b",
        "Arn": ARN,
        "ImageArn": "arn:aws:appstream:us-east-1::image/AppStream-WinServer2019-01",
        "InstanceType": "stream.standard.medium",
        "Platform": "WINDOWS_SERVER_2019",
        "State": "PENDING",
        "CreatedTime": clock.now(),
        "AppstreamAgentVersion": "05-08-2025",
        "LatestAppstreamAgentVersion": "FALSE",
        "ImageBuilderErrors": [],
    }
    assert double.call("ListTagsForResource", {"ResourceArn": ARN}) == {"Tags": {"k": "v"}}


@pytest.mark.parametrize(
    ("region", "partition"), [("eu-west-1", "aws"), ("us-gov-west-1", "aws-us-gov"), ("cn-north-1", "aws-cn")]
)
def test_the_arn_is_of_the_region_and_its_partition(double: FakeAppStream, region: str, partition: str) -> None:
    created = double.call("CreateImageBuilder", CREATE, region)["ImageBuilder"]
    assert created["Arn"] == f"arn:{partition}:appstream:{region}:000000000000:image-builder/b"


def test_regions_are_apart(double: FakeAppStream) -> None:
    double.call("CreateImageBuilder", CREATE, "eu-west-1")
    assert double.call("DescribeImageBuilders", region="us-east-1")["ImageBuilders"] == []


def test_a_name_is_created_once(double: FakeAppStream) -> None:
    double.call("CreateImageBuilder", CREATE)
    assert error(double, "CreateImageBuilder", CREATE).code == "ResourceAlreadyExistsException"


@pytest.mark.parametrize(
    "change",
    [
        {"ImageName": None},
        {"ImageArn": "arn:aws:appstream:us-east-1::image/i"},
        {"VpcConfig": {"SubnetIds": ["a", "b"]}},
    ],
)
def test_parameters_that_do_not_go_together_are_an_error(double: FakeAppStream, change: dict[str, Any]) -> None:
    assert error(double, "CreateImageBuilder", {**CREATE, **change}).code == "InvalidParameterCombinationException"


def test_describe_gives_pages_without_a_gap(double: FakeAppStream) -> None:
    for number in range(7):
        double.put_builder(f"b{number}")
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = double.call("DescribeImageBuilders", {"MaxResults": 3, **token})
        assert len(page["ImageBuilders"]) <= 3
        seen += [builder["Name"] for builder in page["ImageBuilders"]]
        double.delete_builder(seen[-1])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert seen == [f"b{number}" for number in range(7)]


def test_a_page_has_25_builders_unless_told_otherwise(double: FakeAppStream) -> None:
    for number in range(26):
        double.put_builder(f"b{number}")
    page = double.call("DescribeImageBuilders")
    assert len(page["ImageBuilders"]) == 25
    assert len(double.call("DescribeImageBuilders", {"NextToken": page["NextToken"]})["ImageBuilders"]) == 1


def test_describe_without_names_gives_all(double: FakeAppStream) -> None:
    double.put_builder("b")
    assert len(double.call("DescribeImageBuilders", {"Names": []})["ImageBuilders"]) == 1


def test_describe_gives_a_builder_named_twice_once(double: FakeAppStream) -> None:
    double.put_builder("b")
    assert len(double.call("DescribeImageBuilders", {"Names": ["b", "b"]})["ImageBuilders"]) == 1


@pytest.mark.parametrize("parameters", [{"NextToken": "?"}, {"MaxResults": 0}])
def test_describe_refuses_a_page_that_cannot_be(double: FakeAppStream, parameters: Any) -> None:
    expected = "ValidationException" if "MaxResults" in parameters else "InvalidParameterCombinationException"
    assert error(double, "DescribeImageBuilders", parameters).code == expected


def test_tags_are_added_overwritten_and_removed(double: FakeAppStream) -> None:
    double.put_builder("b", tags={"a": "1", "b": "2"})
    double.call("TagResource", {"ResourceArn": ARN, "Tags": {"b": "3", "c": ""}})
    double.call("UntagResource", {"ResourceArn": ARN, "TagKeys": ["a", "z"]})
    assert double.call("ListTagsForResource", {"ResourceArn": ARN})["Tags"] == {"b": "3", "c": ""}


def test_a_builder_has_at_most_50_tags(double: FakeAppStream) -> None:
    double.put_builder("b", tags={f"k{number}": "" for number in range(50)})
    refusal = error(double, "TagResource", {"ResourceArn": ARN, "Tags": {"more": ""}})
    assert refusal.code == "LimitExceededException"


def test_the_arn_of_another_region_is_not_found(double: FakeAppStream) -> None:
    double.put_builder("b")
    arn = ARN.replace("us-east-1", "eu-west-1")
    assert error(double, "ListTagsForResource", {"ResourceArn": arn}).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("parameters", "seconds"), [({}, 3600), ({"Validity": 1}, 1), ({"Validity": 604_800}, 604_800)]
)
def test_a_streaming_url_expires(
    double: FakeAppStream, clock: ManualClock, parameters: dict[str, int], seconds: int
) -> None:
    double.put_builder("b", state="RUNNING")
    answer = double.call("CreateImageBuilderStreamingURL", {"Name": "b", **parameters})
    assert answer["StreamingURL"].startswith("https://")
    assert answer["Expires"] == clock.now() + seconds


@pytest.mark.parametrize("validity", [0, -5, 604_801])
def test_a_validity_that_cannot_be_is_an_error(double: FakeAppStream, validity: int) -> None:
    double.put_builder("b", state="RUNNING")
    refusal = error(double, "CreateImageBuilderStreamingURL", {"Name": "b", "Validity": validity})
    assert refusal.code == "ValidationException"
    assert f"'{validity}' at 'validity'" in refusal.message


@pytest.mark.parametrize(("operation", "message"), [("DescribeFleets", "not offered"), ("MakeCoffee", "no operation")])
def test_other_operations_are_unknown(double: FakeAppStream, operation: str, message: str) -> None:
    refusal = error(double, operation, {})
    assert (refusal.code, refusal.status) == ("UnknownOperationException", 400)
    assert message in refusal.message


def test_calls_are_recorded_in_order_with_what_they_did(double: FakeAppStream, clock: ManualClock) -> None:
    double.put_builder("b")
    began = clock.now()
    double.call("StartImageBuilder", {"Name": "b", "Unknown": 1})
    clock.advance(412)
    error(double, "StartImageBuilder", {"Name": "b"})
    double.call("DescribeImageBuilders", {"Names": ["b"]})
    error(double, "DescribeImageBuilders", {"Names": "b"})
    assert [
        (call.sequence, call.time - began, call.operation, call.outcome, call.effective) for call in double.calls
    ] == [
        (1, 0, "StartImageBuilder", "ok", True),
        (2, 412, "StartImageBuilder", "OperationNotPermittedException", False),
        (3, 412, "DescribeImageBuilders", "ok", False),
        (4, 412, "DescribeImageBuilders", "SerializationException", False),
    ]
    assert [(call.state_before, call.state_after) for call in double.calls[:3]] == [
        ("STOPPED", "PENDING"),
        ("RUNNING", "RUNNING"),
        ("RUNNING", "RUNNING"),
    ]
    assert [call.parameters for call in double.calls[:2]] == [{"Name": "b"}, {"Name": "b"}]


def test_nothing_comes_between_a_start_and_its_precondition(
    double: FakeAppStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = threading.Barrier(50)
    start = ImageBuilder.start

    def hesitant(self: ImageBuilder, now: float, agent_version: str | None) -> ImageBuilder:
        # Lets the other threads run after the precondition was found to hold.
        threading.Event().wait(0.001)
        return start(self, now, agent_version)

    def call(_: int) -> None:
        together.wait()
        double.reply("StartImageBuilder", {"Name": "b"}, "us-east-1")

    monkeypatch.setattr(ImageBuilder, "start", hesitant)
    double.put_builder("b")
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(call, range(50)))
    assert sum(call.effective for call in double.calls) == 1
    assert sorted(call.sequence for call in double.calls) == list(range(1, 51))


def test_reset_forgets_builders_rules_and_calls(double: FakeAppStream) -> None:
    double.put_builder("b")
    double.call("DescribeImageBuilders")
    double.reset()
    assert double.calls == []
    assert double.call("DescribeImageBuilders") == {"ImageBuilders": []}
    assert double.calls[0].sequence == 1


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("b", {"members": {"Colour": "red"}}, "members: has no 'Colour'"),
        ("b", {"members": {"State": "RUNNING"}}, "members: has no 'State'"),
        ("b", {"members": {"CreatedTime": "today"}}, "members: CreatedTime must be a timestamp, not 'today'"),
        ("b", {"members": 1}, "members: must be an object, not 1"),
        ("b", {"region": 7}, "region: must be a string, not 7"),
        ("b", {"tags": {"k": 1}}, "Tags must be a string, not 1"),
        ("b", {"tags": {"aws:k": "v"}}, "'tags' failed to satisfy constraint"),
        ("-b", {}, "'-b' at 'name' failed to satisfy constraint"),
        ("b", {"state": ""}, "state: must be a string of at least 1 character"),
    ],
)
def test_a_builder_that_cannot_be_is_refused(
    double: FakeAppStream, name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        double.put_builder(name, **settings)


def test_a_builder_that_is_put_has_the_members_given(double: FakeAppStream) -> None:
    given = {"Platform": "RHEL8", "CreatedTime": 5, "InstanceType": "i", "AppstreamAgentVersion": "LATEST"}
    put = double.put_builder("b", members=given)
    assert {member: put[member] for member in given} == given
    assert put["LatestAppstreamAgentVersion"] == "TRUE"


def test_only_a_builder_that_is_there_can_be_patched(double: FakeAppStream) -> None:
    with pytest.raises(Refused, match="name: must be that of an image builder in us-east-1, not 'b'"):
        double.patch_builder("b", state="RUNNING")


def test_a_patch_changes_what_it_names_only(double: FakeAppStream) -> None:
    double.put_builder("b", state="RUNNING", members={"Description": "d"})
    patched = double.patch_builder("b", members={"DisplayName": "B"})
    assert (patched["State"], patched["Description"], patched["DisplayName"]) == ("RUNNING", "d", "B")
