"""GetResources of the Resource Groups Tagging API, as boto3 calls it."""

import boto3
import pytest

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.in_process import install


@pytest.fixture
def double() -> FakeAppStream:
    double = FakeAppStream(ManualClock())
    for number in range(7):
        double.put_builder(f"b{number}", tags={"Patch": "tuesday" if number % 2 else "friday"})
    double.put_builder("untagged")
    return double


def found(double: FakeAppStream, page_size: int = 100, **filters: object) -> list[str]:
    session = boto3.Session("test", "test", region_name="us-east-1")
    install(double, session)
    client = session.client("resourcegroupstaggingapi")
    pages = client.get_paginator("get_resources").paginate(PaginationConfig={"PageSize": page_size}, **filters)  # type: ignore[arg-type]  # as botocore checks it
    return [mapping["ResourceARN"].rpartition("/")[2] for page in pages for mapping in page["ResourceTagMappingList"]]


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_what_carries_a_tag_is_found_whatever_the_pages(double: FakeAppStream, page_size: int) -> None:
    tag = [{"Key": "Patch", "Values": ["tuesday"]}]
    assert found(double, page_size, TagFilters=tag) == ["b1", "b3", "b5"]


def test_a_key_alone_matches_any_value(double: FakeAppStream) -> None:
    assert len(found(double, TagFilters=[{"Key": "Patch"}])) == 7
    assert found(double, TagFilters=[{"Key": "patch"}]) == []


def test_other_types_of_resources_are_not_here(double: FakeAppStream) -> None:
    assert found(double, ResourceTypeFilters=["s3"]) == []
    assert len(found(double, ResourceTypeFilters=["appstream:image-builder"])) == 8


def test_a_deleted_builder_is_gone(double: FakeAppStream) -> None:
    double.delete_builder("b1")
    assert "b1" not in found(double)
