"""AppStream access: what is raised for which answer, and that no call can eat the function's timeout."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError
from botocore.stub import Stubber

from lambdas.image_builder import appstream

FUNCTION_TIMEOUT_SECONDS = 60
CALLS_OF_A_FUNCTION = 2


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = appstream.connect()
    with Stubber(client) as stubber:
        yield client, stubber


@pytest.mark.parametrize(
    "code",
    [
        "ConcurrentModificationException",
        "ThrottlingException",
        "ExpiredToken",
        "NobodyHasHeardOfThis",
        "Client.Odd-Code",
    ],
)
@pytest.mark.parametrize("operation", ["start_image_builder", "describe_image_builders"])
def test_an_error_is_raised_as_a_class_named_after_its_code(
    stubbed: tuple[Any, Stubber], operation: str, code: str
) -> None:
    client, stubber = stubbed
    stubber.add_client_error(operation, code, "What AWS says.", http_status_code=400)
    with pytest.raises(appstream.AppStreamError) as caught:
        appstream.start(client, "gold", None) if operation == "start_image_builder" else appstream.describe(
            client, "gold"
        )
    assert type(caught.value).__name__ == code
    assert str(caught.value) == "What AWS says."


@pytest.mark.parametrize(
    "fault",
    [
        EndpointConnectionError(endpoint_url="https://appstream2"),
        ConnectTimeoutError(endpoint_url="https://appstream2"),
        ReadTimeoutError(endpoint_url="https://appstream2"),
    ],
)
def test_no_answer_is_one_error_that_names_the_fault(fault: Exception) -> None:
    class Client:
        def describe_image_builders(self, **_: Any) -> Any:
            raise fault

    with pytest.raises(appstream.AppStreamUnreachable, match=type(fault).__name__):
        appstream.describe(Client(), "gold")  # type: ignore[arg-type]  # as much of a client as is used


@pytest.mark.parametrize("status", ["429", "500", "502", "503"])
def test_a_bare_http_status_that_may_pass_counts_as_no_answer(stubbed: tuple[Any, Stubber], status: str) -> None:
    client, stubber = stubbed
    stubber.add_client_error("describe_image_builders", status, "", http_status_code=400)
    with pytest.raises(appstream.AppStreamUnreachable, match=f"HTTP status {status}"):
        appstream.describe(client, "gold")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ImageBuilders": []},
        {"ImageBuilders": [{"Name": "gold"}]},
        {"ImageBuilders": [{"Name": "gold", "State": ""}]},
        {"ImageBuilders": [{"Name": "other", "State": "RUNNING"}]},
    ],
)
def test_an_answer_without_the_builder_and_its_state_is_unexpected(
    stubbed: tuple[Any, Stubber], answer: dict[str, Any]
) -> None:
    client, stubber = stubbed
    stubber.add_response("describe_image_builders", answer, {"Names": ["gold"]})
    with pytest.raises(appstream.UnexpectedResponse, match="gold"):
        appstream.describe(client, "gold")


@pytest.mark.parametrize("answer", [{}, {"ImageBuilder": {"Name": "gold"}}])
def test_an_accepted_start_without_a_state_is_accepted_all_the_same(
    stubbed: tuple[Any, Stubber], answer: dict[str, Any]
) -> None:
    client, stubber = stubbed
    stubber.add_response("start_image_builder", answer, {"Name": "gold"})
    assert appstream.start(client, "gold", None) is None


def test_the_agent_version_is_passed_through_unchanged(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    expected = {"Name": "gold", "AppstreamAgentVersion": "LATEST"}
    stubber.add_response("start_image_builder", {"ImageBuilder": {"Name": "gold", "State": "PENDING"}}, expected)
    assert appstream.start(client, "gold", "LATEST") == {"Name": "gold", "State": "PENDING"}


def test_hung_calls_leave_the_function_time_to_say_so() -> None:
    config: Any = appstream.connect().meta.config
    assert config.retries["mode"] == "standard"
    attempts = config.retries["total_max_attempts"]
    # Standard mode waits a random part of 1, 2, 4 ... seconds between attempts.
    backoff = sum(2**attempt for attempt in range(attempts - 1))
    longest = attempts * (config.connect_timeout + config.read_timeout) + backoff
    assert CALLS_OF_A_FUNCTION * longest < FUNCTION_TIMEOUT_SECONDS
