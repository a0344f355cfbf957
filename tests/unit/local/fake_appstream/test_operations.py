"""What the operations answer, need and change."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lambdas.image_builder.state import PHASES
from local.fake_appstream.builders import ARN, ImageBuilder
from local.fake_appstream.clock import ManualClock
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.model import ServiceError
from tests.unit.local.fake_appstream.conftest import ClientMaker


def error(fake: FakeAppStream, operation: str, parameters: Any) -> tuple[str, int, str]:
    with pytest.raises(ServiceError) as caught:
        fake.call(operation, parameters)
    return caught.value.code, caught.value.status, caught.value.message


@pytest.mark.parametrize(("operation", "needed"), [("StartImageBuilder", "STOPPED"), ("StopImageBuilder", "RUNNING")])
@pytest.mark.parametrize("state", [*PHASES, "SOMETHING_NEW"])
def test_an_operation_needs_its_state(fake: FakeAppStream, operation: str, needed: str, state: str) -> None:
    fake.put_builder("b", state=state)
    if state == needed:
        fake.call(operation, {"Name": "b"})
    else:
        code, status, message = error(fake, operation, {"Name": "b"})
        assert (code, status) == ("OperationNotPermittedException", 400)
        assert state in message
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
    assert error(fake, operation, parameters)[:2] == ("ResourceNotFoundException", 404)


def test_describe_answers_all_builders_in_pages_of_25(fake: FakeAppStream, make_client: ClientMaker) -> None:
    for number in range(30):
        fake.put_builder(f"b{number:02}")
    pages = [page["ImageBuilders"] for page in make_client().get_paginator("describe_image_builders").paginate()]
    assert list(map(len, pages)) == [25, 5]
    assert [builder["Name"] for page in pages for builder in page] == [f"b{number:02}" for number in range(30)]


@pytest.mark.parametrize("page_size", [1, 2, 3, 100])
def test_tagged_builders_are_found_at_every_page_size(
    fake: FakeAppStream, make_client: ClientMaker, page_size: int
) -> None:
    for number in range(7):
        fake.put_builder(f"b{number}", tags={"Patch": "tuesday" if number % 2 else "friday"})
    fake.put_builder("untagged")
    fake.delete_builder("b1")
    pages = make_client("resourcegroupstaggingapi").get_paginator("get_resources")
    tag = [{"Key": "Patch", "Values": ["tuesday"]}]
    found = pages.paginate(PaginationConfig={"PageSize": page_size}, TagFilters=tag).build_full_result()
    assert found["ResourceTagMappingList"] == [
        {"ResourceARN": f"{ARN}{name}", "Tags": [{"Key": "Patch", "Value": "tuesday"}]} for name in ("b3", "b5")
    ]


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        ("StartImageBuilder", {"Name": ""}, "Name: must not have a length of 0"),
        (
            "StartImageBuilder",
            {"Name": "b", "AppstreamAgentVersion": "v" * 101},
            "AppstreamAgentVersion: must not have",
        ),
        ("DescribeImageBuilders", {"Names": ["b", ""]}, "Names: must not have a length of 0"),
        ("ListTagsForResource", {"ResourceArn": "b"}, "ResourceArn: must match ^arn:"),
        ("GetResources", {"TagFilters": [{"Key": "k" * 129}]}, "TagFilters.Key: must not have a length of 129"),
        ("GetResources", {"TagFilters": [{"Key": "k"}] * 51}, "TagFilters: must not have a length of 51"),
    ],
)
def test_a_violated_constraint_is_a_validation_error(
    fake: FakeAppStream, operation: str, parameters: Any, message: str
) -> None:
    code, status, text = error(fake, operation, parameters)
    assert (code, status) == ("ValidationException", 400)
    assert text.startswith(message)


def test_calls_are_recorded_in_order_with_their_effect(fake: FakeAppStream, clock: ManualClock) -> None:
    fake.put_builder("b")
    began = clock.now()
    fake.call("StartImageBuilder", {"Name": "b"})
    clock.advance(412)
    error(fake, "StartImageBuilder", {"Name": "b"})
    fake.call("DescribeImageBuilders", {"Names": ["b"]})
    assert [(call.time - began, call.operation, call.effective, call.state_before) for call in fake.calls] == [
        (0, "StartImageBuilder", True, "STOPPED"),
        (412, "StartImageBuilder", False, "RUNNING"),
        (412, "DescribeImageBuilders", False, "RUNNING"),
    ]
    assert fake.calls[0].parameters == {"Name": "b"}


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
