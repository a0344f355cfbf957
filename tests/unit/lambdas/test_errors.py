import json
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st

from lambdas.image_builder.errors import ALIASES, ERRORS, UNKNOWN, RoutedError, call, canonical, routed


def client_error(code: str, status: int = 400, message: str = "What AWS says.") -> exceptions.ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "StartImageBuilder")


def raised(error: Exception) -> RoutedError:
    def operation() -> None:
        raise error

    with pytest.raises(RoutedError) as caught:
        call(operation)
    return caught.value


@pytest.mark.parametrize(("alias", "code"), ALIASES.items())
def test_an_alias_is_raised_under_its_canonical_code_and_keeps_its_own_in_the_message(alias: str, code: str) -> None:
    error = raised(client_error(alias))
    assert type(error).__name__ == code
    assert error.message == f"{alias}: What AWS says."


def test_every_canonical_code_has_a_route_and_advice_and_each_alias_one_code() -> None:
    assert not set(ALIASES) & set(ERRORS)
    assert len(ALIASES) == sum(len(each.get("Aliases", ())) for each in ERRORS.values())
    for each in ERRORS.values():
        assert each["Route"] in ("fail", "notify")
        assert each["Advice"].endswith(".")
        assert each["Source"]
        assert ("Aliases" in each) is bool(each.get("AliasSource"))


def test_every_error_that_appstream_models_for_these_calls_is_canonical() -> None:
    model = boto3.client("appstream", region_name="us-east-1").meta.service_model
    operations = ("StartImageBuilder", "StopImageBuilder", "DescribeImageBuilders", "ListTagsForResource")
    modelled = {shape.name for name in operations for shape in model.operation_model(name).error_shapes}
    assert {code for code in modelled if canonical(code) != code or code not in ERRORS} == set()


@pytest.mark.parametrize(
    ("code", "status", "name"),
    [
        ("429", 429, "ThrottlingException"),
        ("503", 503, "ServiceUnavailableException"),
        ("Odd", 429, "ThrottlingException"),
        ("Odd", 500, "ServiceUnavailableException"),
        ("ValidationError", 503, "ValidationException"),
        ("Odd", 400, "Odd"),
        ("States.Runtime", 400, "StatesRuntime"),
        ("a\0b c{}", 400, "abc"),
        ("x" * 300, 400, "x" * 60),
        ("\ud800", 400, "Unknown"),
        ("", 400, "Unknown"),
    ],
)
def test_a_known_code_decides_then_the_status_then_the_code_keeps_its_name(code: str, status: int, name: str) -> None:
    assert type(raised(client_error(code, status))).__name__ == name


@given(st.text(max_size=400), st.integers(400, 599))
def test_any_code_can_name_a_class(code: str, status: int) -> None:
    name = canonical(code, status)
    assert type(routed(name, "")).__name__ == name
    assert 1 <= len(name) <= 60
    assert not name.startswith("States.")


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (exceptions.EndpointConnectionError(endpoint_url="x"), False),
        (exceptions.ConnectTimeoutError(endpoint_url="x"), False),
        (exceptions.ReadTimeoutError(endpoint_url="x"), True),
        (exceptions.ConnectionClosedError(endpoint_url="x"), True),
        (ResponseParserError("x"), True),
        (ValueError("x"), True),
        (client_error("InternalFailure", 500), True),
        (client_error("ThrottlingException", 400), False),
        (client_error("ValidationException", 400), False),
    ],
)
def test_it_is_known_whether_a_call_may_have_taken_effect(error: Exception, sent: bool) -> None:
    assert raised(error).sent is sent


def test_the_text_of_an_error_is_what_the_workflow_reads_and_has_a_bound() -> None:
    error = json.loads(str(raised(client_error("IncompatibleImageException"))))
    assert error == {
        "Message": "IncompatibleImageException: What AWS says.",
        "Route": "fail",
        "Advice": ERRORS["IncompatibleImageException"]["Advice"],
    }
    unknown = json.loads(str(raised(client_error("Odd", message="x" * 300_000))))
    assert (unknown["Route"], unknown["Advice"]) == ("notify", ERRORS[UNKNOWN]["Advice"])
    assert len(unknown["Message"]) < 8_000
