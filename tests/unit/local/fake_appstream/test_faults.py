from typing import Any

import pytest

from local.fake_appstream.fake import Dropped, FakeAppStream
from local.fake_appstream.faults import Answer, Delay, Drop, Error, Fault, Faults
from local.fake_appstream.model import ServiceError
from local.fake_appstream.validation import Refused


def outcomes(double: FakeAppStream, calls: int, operation: str = "DescribeImageBuilders") -> list[str]:
    for _ in range(calls):
        double.reply(operation, {"Name": "b", "Names": ["b"]}, "us-east-1")
    return [call.outcome for call in double.calls]


@pytest.fixture(autouse=True)
def builder(double: FakeAppStream) -> None:
    double.put_builder("b")


def test_an_error_is_answered_so_many_times(double: FakeAppStream) -> None:
    double.faults.add(Fault(Error("ThrottlingException"), times=2))
    assert outcomes(double, 4) == ["ThrottlingException", "ThrottlingException", "ok", "ok"]


def test_an_error_is_answered_for_ever(double: FakeAppStream) -> None:
    double.faults.add(Fault(Error("ThrottlingException")))
    assert outcomes(double, 50) == ["ThrottlingException"] * 50


def test_the_first_calls_can_pass(double: FakeAppStream) -> None:
    double.faults.add(Fault(Error("ThrottlingException"), skip=2, times=1))
    assert outcomes(double, 4) == ["ok", "ok", "ThrottlingException", "ok"]


def test_errors_can_alternate(double: FakeAppStream) -> None:
    double.faults.add(Fault(Error("ThrottlingException"), every=2, times=2))
    assert outcomes(double, 5) == ["ThrottlingException", "ok", "ThrottlingException", "ok", "ok"]


def test_rules_follow_one_another(double: FakeAppStream) -> None:
    double.faults.add(Fault(Error("ThrottlingException"), times=1))
    double.faults.add(Fault(Error("InternalFailure"), times=1))
    assert outcomes(double, 3) == ["ThrottlingException", "InternalFailure", "ok"]


def test_a_rule_is_about_its_operation_and_builder_only(double: FakeAppStream) -> None:
    double.put_builder("other")
    double.faults.add(Fault(Error("InternalFailure"), operation="StartImageBuilder", name="b"))
    double.call("DescribeImageBuilders", {"Names": ["b"]})
    double.call("StartImageBuilder", {"Name": "other"})
    with pytest.raises(ServiceError, match="InternalFailure"):
        double.call("StartImageBuilder", {"Name": "b"})


def test_a_rule_about_a_builder_sees_its_arn_and_lists_of_names(double: FakeAppStream) -> None:
    arn = double.builder("b")["Arn"]
    double.faults.add(Fault(Error("InternalFailure"), name="b"))
    for operation, parameters in (
        ("ListTagsForResource", {"ResourceArn": arn}),
        ("DescribeImageBuilders", {"Names": ["a", "b"]}),
    ):
        with pytest.raises(ServiceError, match="InternalFailure"):
            double.call(operation, parameters)


def test_an_operation_that_an_error_befalls_does_not_take_effect(double: FakeAppStream) -> None:
    double.faults.add(Fault(Error("ConcurrentModificationException")))
    assert outcomes(double, 1, "StartImageBuilder") == ["ConcurrentModificationException"]
    assert double.builder("b")["State"] == "STOPPED"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("ResourceNotFoundException", 404),
        ("ResourceInUseException", 400),
        ("ThrottlingException", 400),
        ("AccessDeniedException", 400),
        ("InternalFailure", 500),
        ("ServiceUnavailable", 503),
    ],
)
def test_an_error_has_the_status_of_its_code(double: FakeAppStream, code: str, status: int) -> None:
    double.faults.add(Fault(Error(code, "Why."), times=1))
    double.faults.add(Fault(Error(code, status=418)))
    for expected in (status, 418):
        with pytest.raises(ServiceError) as caught:
            double.call("DescribeImageBuilders")
        assert caught.value.status == expected


@pytest.mark.parametrize(("when", "effective"), [("before", False), ("after", True)])
def test_a_connection_drops_before_or_after_the_effect(double: FakeAppStream, when: Any, effective: bool) -> None:
    double.faults.add(Fault(Drop(when), operation="StartImageBuilder"))
    with pytest.raises(Dropped):
        double.call("StartImageBuilder", {"Name": "b"})
    (call,) = double.calls
    assert (call.outcome, call.effective) == ("dropped", effective)
    assert call.state_after == ("PENDING" if effective else "STOPPED")


def test_an_answer_replaces_members_and_takes_them_away(double: FakeAppStream) -> None:
    double.faults.add(Fault(Answer({"ImageBuilders": []}), times=1))
    double.faults.add(Fault(Answer({"ImageBuilders": [{"Name": "b"}], "More": 1}), times=1))
    double.faults.add(Fault(Answer({"ImageBuilders": None}), times=1))
    answers = [double.call("DescribeImageBuilders") for _ in range(3)]
    assert answers == [{"ImageBuilders": []}, {"ImageBuilders": [{"Name": "b"}], "More": 1}, {}]


def test_an_answer_leaves_an_error_as_it_is(double: FakeAppStream) -> None:
    double.faults.add(Fault(Answer({"ImageBuilders": []})))
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        double.call("DescribeImageBuilders", {"Names": ["nobody"]})


def test_a_delay_goes_with_what_later_rules_do(double: FakeAppStream) -> None:
    double.faults.add(Fault(Delay(2)))
    double.faults.add(Fault(Delay(0.5)))
    double.faults.add(Fault(Error("InternalFailure"), times=1))
    replies = [double.reply("DescribeImageBuilders", {}, "us-east-1") for _ in range(2)]
    assert [(reply.delay, bool(reply.error)) for reply in replies] == [(2.5, True), (2.5, False)]


def test_cleared_rules_befall_nothing() -> None:
    faults = Faults()
    faults.add(Fault(Drop("before")))
    faults.clear()
    assert faults.befall("StartImageBuilder", ["b"]).action is None


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"error": {"code": "X"}, "times": 1}, Fault(Error("X"), times=1)),
        ({"error": {"code": "X", "message": "m", "status": 503}}, Fault(Error("X", "m", 503))),
        ({"delay": 1.5, "operation": "StopImageBuilder"}, Fault(Delay(1.5), operation="StopImageBuilder")),
        ({"drop": "after", "name": "b", "skip": 1, "every": 2}, Fault(Drop("after"), name="b", skip=1, every=2)),
        ({"answer": {"ImageBuilders": []}}, Fault(Answer({"ImageBuilders": []}))),
    ],
)
def test_a_rule_can_be_json(settings: Any, fault: Fault) -> None:
    assert Fault.parse(settings) == fault


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "fault: must have exactly one of error, delay, drop, answer, not none"),
        ({"delay": 1, "drop": "after"}, "fault: must have exactly one of"),
        (None, "fault: must have exactly one of"),
        ([], "fault: must be an object"),
        ({"delay": -1}, "delay: must be a number of at least 0, not -1"),
        ({"delay": "1"}, "delay: must be a number of at least 0, not '1'"),
        ({"drop": "during"}, 'drop: must be "before" or "after", not \'during\''),
        ({"answer": 1}, "answer: must be an object"),
        ({"error": "X"}, "error: must be an object, not 'X'"),
        ({"error": {}}, "error.code: must be a string, not None"),
        ({"error": {"code": "X", "status": 200}}, "error.status: must be null or 400 to 599, not 200"),
        ({"delay": 1, "times": 0}, "times: must be null or a whole number of at least 1, not 0"),
        ({"delay": 1, "skip": -1}, "skip: must be a whole number of at least 0, not -1"),
        ({"delay": 1, "every": True}, "every: must be a whole number of at least 1, not True"),
        ({"delay": 1, "operation": 3}, "operation: must be a string, not 3"),
        ({"delay": 1, "builder": "b"}, "fault: has no 'builder'; it has answer, delay, drop"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(settings: Any, message: str) -> None:
    with pytest.raises(Refused, match=message):
        Fault.parse(settings)
