"""What the fake answers. The tests of the workflows fail for the rest: states, faults, dropped and late answers."""

from typing import Any

import boto3
import pytest

from lambdas.image_builder.state import PHASES
from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.in_process import install
from local.fake_appstream.model import ServiceError


@pytest.fixture
def fake() -> FakeAppStream:
    return FakeAppStream(ManualClock())


@pytest.mark.parametrize(("operation", "needed"), [("StartImageBuilder", "STOPPED"), ("StopImageBuilder", "RUNNING")])
@pytest.mark.parametrize("state", [*PHASES, "SOMETHING_NEW"])
def test_an_operation_needs_its_state(fake: FakeAppStream, operation: str, needed: str, state: str) -> None:
    fake.put_builder("b", state=state)
    reply = fake.reply(operation, {"Name": "b"})
    assert (reply.error.code if reply.error else "") == ("" if state == needed else "OperationNotPermittedException")
    assert fake.calls[-1].effective is (state == needed)


def test_after_its_last_stage_an_image_builder_is_gone(fake: FakeAppStream) -> None:
    fake.put_builder("b", state=[["STOPPED", 60]])
    assert fake.call("DescribeImageBuilders", {})["ImageBuilders"]
    fake.clock.advance(60)  # type: ignore[union-attr]  # a ManualClock
    assert fake.call("DescribeImageBuilders", {})["ImageBuilders"] == []


def test_image_builders_are_listed_in_pages(fake: FakeAppStream) -> None:
    names = [f"b{number:02}" for number in range(30)]
    for name in names:
        fake.put_builder(name, tags={"Patch": "tuesday"})
    fake.put_builder("other", tags={"Patch": "friday"})
    appstream, tagging = boto3.client("appstream"), boto3.client("resourcegroupstaggingapi")
    install(fake, appstream)
    install(fake, tagging)
    pages = [page["ImageBuilders"] for page in appstream.get_paginator("describe_image_builders").paginate()]
    assert list(map(len, pages)) == [25, 6]
    assert [each["Name"] for page in pages for each in page] == [*names, "other"]
    tagged = tagging.get_paginator("get_resources").paginate(
        PaginationConfig={"PageSize": 10}, TagFilters=[{"Key": "Patch", "Values": ["tuesday"]}]
    )
    found = [each["ResourceARN"] for page in tagged for each in page["ResourceTagMappingList"]]
    assert [arn.rpartition("/")[2] for arn in found] == names


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("StartImageBuilder", {"Name": ""}, "Name: must not have a length of 0"),
        ("DescribeImageBuilders", {"Names": ["b", ""]}, "Names: must not have a length of 0"),
        ("ListTagsForResource", {"ResourceArn": "b"}, "ResourceArn: must match ^arn:"),
        ("GetResources", {"TagFilters": [{"Key": "k" * 129}]}, "TagFilters.Key: must not have a length of 129"),
    ],
)
def test_a_violated_constraint_is_a_validation_error(
    fake: FakeAppStream, operation: str, parameters: Any, message: str
) -> None:
    with pytest.raises(ServiceError, match=f"ValidationException: {message}".replace("^", r"\^")):
        fake.call(operation, parameters)
