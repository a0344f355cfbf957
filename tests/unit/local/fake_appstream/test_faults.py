"""Which calls a scripted fault applies to, and what happens to them."""

from typing import Any

import pytest

from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.faults import Fault
from local.fake_appstream.model import ServiceError

BUSY = {"code": "ThrottlingException"}


def outcomes(fake: FakeAppStream, calls: int) -> list[str]:
    replies = [fake.reply("DescribeImageBuilders", {"Names": ["b"]}) for _ in range(calls)]
    return [reply.error.code.removesuffix("Exception") if reply.error else "ok" for reply in replies]


def add(fake: FakeAppStream, **settings: Any) -> None:
    fake.faults.add(Fault.parse(settings))


@pytest.fixture(autouse=True)
def builder(fake: FakeAppStream) -> None:
    fake.put_builder("b")


@pytest.mark.parametrize(
    ("settings", "seen"),
    [
        ({}, "Throttling Throttling Throttling Throttling Throttling"),
        ({"times": 2}, "Throttling Throttling ok ok ok"),
        ({"skip": 2, "times": 1}, "ok ok Throttling ok ok"),
        ({"every": 2, "times": 2}, "Throttling ok Throttling ok ok"),
    ],
)
def test_a_fault_applies_to_so_many_calls(fake: FakeAppStream, settings: dict[str, int], seen: str) -> None:
    add(fake, error=BUSY, **settings)
    assert outcomes(fake, 5) == seen.split()


def test_faults_follow_one_another_and_can_be_cleared(fake: FakeAppStream) -> None:
    add(fake, error=BUSY, times=1)
    add(fake, error={"code": "InternalFailure"}, times=1)
    assert outcomes(fake, 3) == ["Throttling", "InternalFailure", "ok"]
    add(fake, drop="before")
    fake.faults.clear()
    assert outcomes(fake, 1) == ["ok"]


def test_a_fault_is_about_its_operation_and_its_builder_only(fake: FakeAppStream) -> None:
    fake.put_builder("other")
    add(fake, error=BUSY, operation="StartImageBuilder", name="b")
    fake.call("DescribeImageBuilders", {"Names": ["b"]})
    fake.call("StartImageBuilder", {"Name": "other"})
    with pytest.raises(ServiceError, match="ThrottlingException"):
        fake.call("StartImageBuilder", {"Name": "b"})


def test_a_fault_about_a_builder_applies_to_its_arn_and_to_lists_of_names(fake: FakeAppStream) -> None:
    add(fake, error=BUSY, name="b")
    for operation, parameters in (
        ("ListTagsForResource", {"ResourceArn": fake.builder("b")["Arn"]}),
        ("DescribeImageBuilders", {"Names": ["a", "b"]}),
    ):
        with pytest.raises(ServiceError, match="ThrottlingException"):
            fake.call(operation, parameters)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceNotFoundException", 404),
        ("ResourceInUseException", 400),
        ("AccessDeniedException", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_an_error_has_the_status_of_its_code_and_no_effect(fake: FakeAppStream, code: str, status: int) -> None:
    add(fake, error={"code": code, "message": "Why."}, times=1)
    add(fake, error={"code": code, "status": 418})
    for expected in (status, 418):
        with pytest.raises(ServiceError, match=code) as caught:
            fake.call("StartImageBuilder", {"Name": "b"})
        assert caught.value.status == expected
    assert fake.builder("b")["State"] == "STOPPED"


def test_an_answer_replaces_and_removes_members_but_leaves_an_error(fake: FakeAppStream) -> None:
    add(fake, answer={"ImageBuilders": []}, times=1)
    add(fake, answer={"ImageBuilders": [{"Name": "b"}], "More": 1}, times=1)
    add(fake, answer={"ImageBuilders": None})
    answers = [fake.call("DescribeImageBuilders", {}) for _ in range(3)]
    assert answers == [{"ImageBuilders": []}, {"ImageBuilders": [{"Name": "b"}], "More": 1}, {}]
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        fake.call("DescribeImageBuilders", {"Names": ["nobody"]})


def test_a_delay_adds_to_what_later_faults_do(fake: FakeAppStream) -> None:
    add(fake, delay=2)
    add(fake, delay=0.5)
    add(fake, error=BUSY, times=1)
    replies = [fake.reply("DescribeImageBuilders", {}) for _ in range(2)]
    assert [(reply.delay, bool(reply.error)) for reply in replies] == [(2.5, True), (2.5, False)]
