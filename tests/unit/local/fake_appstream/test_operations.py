"""What the operations answer, need and change."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.image_builder.state import PHASES
from local.fake_appstream.builders import ARN, ImageBuilder
from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.in_process import install
from local.fake_appstream.model import ServiceError
from local.fake_appstream.validation import Refused
from tests.unit.local.fake_appstream.conftest import ClientMaker

FAILED = "failed to satisfy constraint: Member must"


def error(fake: FakeAppStream, operation: str, parameters: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        fake.call(operation, parameters)
    return caught.value


@pytest.mark.parametrize(("operation", "needed"), [("StartImageBuilder", "STOPPED"), ("StopImageBuilder", "RUNNING")])
@pytest.mark.parametrize("state", [*PHASES, "SOMETHING_NEW"])
def test_an_operation_needs_its_state(fake: FakeAppStream, operation: str, needed: str, state: str) -> None:
    fake.put_builder("b", state=state)
    if state == needed:
        fake.call(operation, {"Name": "b"})
    else:
        refusal = error(fake, operation, {"Name": "b"})
        assert (refusal.code, refusal.status) == ("OperationNotPermittedException", 400)
        assert state in refusal.message
        assert not fake.calls[-1].effective


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("StartImageBuilder", {"Name": "b"}),
        ("StopImageBuilder", {"Name": "b"}),
        ("DescribeImageBuilders", {"Names": ["there", "b"]}),
        ("ListTagsForResource", {"ResourceArn": f"{ARN}b"}),
        ("ListTagsForResource", {"ResourceArn": f"{ARN}there".replace("us-east-1", "eu-west-1")}),
    ],
)
def test_a_builder_that_does_not_exist_is_not_found(fake: FakeAppStream, operation: str, parameters: Any) -> None:
    fake.put_builder("there")
    missing = error(fake, operation, parameters)
    assert (missing.code, missing.status) == ("ResourceNotFoundException", 404)


def test_describe_answers_all_builders_in_pages_of_25(fake: FakeAppStream, make_client: ClientMaker) -> None:
    client = make_client()
    install(fake, client)
    for number in range(30):
        fake.put_builder(f"b{number:02}")
    first = client.describe_image_builders()
    rest = client.describe_image_builders(NextToken=first["NextToken"])
    assert (len(first["ImageBuilders"]), "NextToken" in rest) == (25, False)
    names = [builder["Name"] for builder in first["ImageBuilders"] + rest["ImageBuilders"]]
    assert names == [f"b{number:02}" for number in range(30)]
    assert error(fake, "DescribeImageBuilders", {"NextToken": "?"}).code == "InvalidParameterCombinationException"


def test_describe_answers_a_builder_named_twice_once(fake: FakeAppStream) -> None:
    fake.put_builder("b")
    assert len(fake.call("DescribeImageBuilders", {"Names": ["b", "b"]})["ImageBuilders"]) == 1


def tagged(fake: FakeAppStream, make_client: ClientMaker, page_size: int = 100, **filters: object) -> list[str]:
    client = make_client(service="resourcegroupstaggingapi")
    install(fake, client)
    pages = client.get_paginator("get_resources").paginate(PaginationConfig={"PageSize": page_size}, **filters)
    return [mapping["ResourceARN"].rpartition("/")[2] for page in pages for mapping in page["ResourceTagMappingList"]]


@pytest.fixture
def week(fake: FakeAppStream) -> None:
    for number in range(7):
        fake.put_builder(f"b{number}", tags={"Patch": "tuesday" if number % 2 else "friday"})
    fake.put_builder("untagged")


@pytest.mark.usefixtures("week")
@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_tagged_builders_are_found_at_every_page_size(
    fake: FakeAppStream, make_client: ClientMaker, page_size: int
) -> None:
    tag = [{"Key": "Patch", "Values": ["tuesday"]}]
    assert tagged(fake, make_client, page_size, TagFilters=tag) == ["b1", "b3", "b5"]


@pytest.mark.usefixtures("week")
def test_a_key_without_values_matches_any_value_and_other_types_are_not_found(
    fake: FakeAppStream, make_client: ClientMaker
) -> None:
    assert len(tagged(fake, make_client, TagFilters=[{"Key": "Patch"}])) == 7
    assert tagged(fake, make_client, TagFilters=[{"Key": "patch"}]) == []
    assert tagged(fake, make_client, ResourceTypeFilters=["s3"]) == []
    assert len(tagged(fake, make_client, ResourceTypeFilters=["appstream:image-builder"])) == 8
    fake.delete_builder("b1")
    assert "b1" not in tagged(fake, make_client)


def test_the_tags_of_a_builder_are_listed(fake: FakeAppStream) -> None:
    fake.put_builder("b", tags={"Skip_Stop": ""})
    assert fake.call("ListTagsForResource", {"ResourceArn": f"{ARN}b"}) == {"Tags": {"Skip_Stop": ""}}


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("StartImageBuilder", {}, f"1 validation error detected: Value null at 'name' {FAILED} not be null"),
        ("StartImageBuilder", {"Name": None}, f"Value null at 'name' {FAILED} not be null"),
        ("StartImageBuilder", {"Name": ""}, f"Value '' at 'name' {FAILED} have length greater than or equal to 1"),
        (
            "StartImageBuilder",
            {"Name": "", "AppstreamAgentVersion": "v" * 101},
            f"at 'appstreamAgentVersion' {FAILED} have length less than or equal to 100",
        ),
        (
            "ListTagsForResource",
            {"ResourceArn": "b"},
            f"Value 'b' at 'resourceArn' {FAILED} satisfy regular",
        ),
        ("GetResources", {"TagFilters": [{"Key": ""}]}, f"Value '' at 'tagFilters.1.member.key' {FAILED} have length"),
        ("GetResources", {"TagFilters": [{"Key": "k"}] * 51}, f"at 'tagFilters' {FAILED} have length less than"),
    ],
)
def test_a_violated_constraint_is_a_validation_error(
    fake: FakeAppStream, operation: str, parameters: Any, message: str
) -> None:
    refusal = error(fake, operation, parameters)
    assert (refusal.code, refusal.status) == ("ValidationException", 400)
    assert message in refusal.message


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("StartImageBuilder", [], "input: must be a structure, not []"),
        ("StartImageBuilder", {"Name": 7}, "name: must be a string, not 7"),
        ("DescribeImageBuilders", {"Names": "b"}, "names: must be a list, not 'b'"),
        ("DescribeImageBuilders", {"Names": [1]}, "names.1.member: must be a string, not 1"),
        ("DescribeImageBuilders", {"MaxResults": True}, "maxResults: must be a integer, not True"),
        ("GetResources", {"IncludeComplianceDetails": 1}, "must be a boolean, not 1"),
    ],
)
def test_a_wrong_type_is_a_serialization_error(
    fake: FakeAppStream, operation: str, parameters: Any, message: str
) -> None:
    refusal = error(fake, operation, parameters)
    assert (refusal.code, refusal.status) == ("SerializationException", 400)
    assert message in refusal.message


def test_calls_are_recorded_in_order_with_their_effect(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b")
    began = clock.now()
    # Members that the operation does not have are ignored, as null is.
    fake.call("StartImageBuilder", {"Name": "b", "AppstreamAgentVersion": None, "Colour": {"deep": [1]}})
    clock.advance(412)
    error(fake, "StartImageBuilder", {"Name": "b"})
    fake.call("DescribeImageBuilders", {"Names": ["b"]})
    error(fake, "DescribeImageBuilders", {"Names": "b"})
    error(fake, "DescribeFleets", {})
    assert [(call.time - began, call.operation, call.outcome, call.effective) for call in fake.calls] == [
        (0, "StartImageBuilder", "ok", True),
        (412, "StartImageBuilder", "OperationNotPermittedException", False),
        (412, "DescribeImageBuilders", "ok", False),
        (412, "DescribeImageBuilders", "SerializationException", False),
        (412, "DescribeFleets", "UnknownOperationException", False),
    ]
    states = [(call.state_before, call.state_after) for call in fake.calls[:3]]
    assert states == [("STOPPED", "PENDING"), ("RUNNING", "RUNNING"), ("RUNNING", "RUNNING")]
    assert [call.parameters for call in fake.calls[:2]] == [{"Name": "b"}, {"Name": "b"}]


def test_a_start_and_the_check_of_its_state_are_atomic(fake: FakeAppStream, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(50)
    start = ImageBuilder.start

    def hesitant(self: ImageBuilder, now: float, agent_version: str | None) -> ImageBuilder:
        # Lets the other threads run after the state was checked.
        threading.Event().wait(0.001)
        return start(self, now, agent_version)

    def call(_: int) -> None:
        together.wait()
        fake.reply("StartImageBuilder", {"Name": "b"})

    monkeypatch.setattr(ImageBuilder, "start", hesitant)
    fake.put_builder("b")
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(call, range(50)))
    assert (len(fake.calls), sum(call.effective for call in fake.calls)) == (50, 1)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("b", {"members": {"Colour": "red"}}, "members: .*Colour"),
        ("b", {"members": {"CreatedTime": "today"}}, "members: .*CreatedTime"),
        ("b", {"durations": {"pending": "long"}}, "durations.pending: must be a number, of at least 0 for a state"),
        ("b", {"durations": {"stopping": -1}}, "durations.stopping: must be a number, of at least 0 for a state"),
        ("b", {"durations": {"snoring": 1}}, "durations: must be of pending, updating_agent, .*, not 'snoring'"),
        ("-b", {}, "Value '-b' at 'name' failed to satisfy constraint: Member must satisfy regular expression"),
        (7, {}, "name: must be a string, not 7"),
        ("b", {"state": ""}, "state: must be a string of at least 1 character"),
    ],
)
def test_a_builder_that_is_impossible_is_refused(
    fake: FakeAppStream, name: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        fake.put_builder(name, **settings)


def test_a_builder_has_the_members_given(fake: FakeAppStream, clock: ManualClock) -> None:
    assert fake.put_builder("a")["CreatedTime"] == clock.now()
    given = {"Platform": "RHEL8", "CreatedTime": 5, "InstanceType": "i", "AppstreamAgentVersion": "LATEST"}
    described = fake.put_builder("b", members=given)
    assert {**described, **given} == described
    assert (described["Arn"], described["LatestAppstreamAgentVersion"]) == (f"{ARN}b", "TRUE")


def test_only_a_builder_that_exists_can_be_inspected_or_patched(fake: FakeAppStream) -> None:
    for action in (fake.builder, lambda name: fake.patch_builder(name, next_start="FAILED")):
        with pytest.raises(Refused, match="name: must be that of an image builder, not 'b'"):
            action("b")
