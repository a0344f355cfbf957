"""AppStream access: what each call returns, and that none can outlast the function that makes it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.stub import Stubber

from infra.functions import FUNCTION_TIMEOUT
from lambdas.image_builder import appstream
from lambdas.image_builder.errors import RoutedError


@pytest.fixture
def stubber() -> Iterator[Any]:
    with Stubber(appstream.connect()) as stubber:
        yield stubber


@pytest.mark.parametrize("builders", [None, [], [{"Name": "other", "State": "RUNNING"}], [{"Name": "gold"}]])
def test_an_answer_without_the_builders_state_is_no_answer(stubber: Any, builders: Any) -> None:
    stubber.add_response("describe_image_builders", {"ImageBuilders": builders} if builders is not None else {})
    with pytest.raises(RoutedError, match="without the State of image builder gold") as caught:
        appstream.describe(stubber.client, "gold")
    assert type(caught.value).__name__ == "ServiceUnavailableException"


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ({"ImageBuilder": {"Name": "gold", "State": "PENDING"}}, {"Name": "gold", "State": "PENDING"}),
        ({"ImageBuilder": {"Name": "gold"}}, None),
        ({}, None),
    ],
)
def test_the_agent_version_is_passed_through_and_the_answer_may_show_no_state(
    stubber: Any, answer: dict[str, Any], shown: Any
) -> None:
    stubber.add_response("start_image_builder", answer, {"Name": "gold", "AppstreamAgentVersion": "LATEST"})
    stubber.add_response("start_image_builder", answer, {"Name": "gold"})
    assert appstream.start(stubber.client, "gold", "LATEST") == shown
    assert appstream.start(stubber.client, "gold", None) == shown


def longest_call(config: Config) -> float:
    """Seconds. Standard mode waits a random part of 1, 2, 4 ... seconds between attempts."""
    used: Any = appstream.connect(config).meta.config
    attempts: int = used.retries["total_max_attempts"]
    assert used.retries["mode"] == "standard"
    return float(attempts * (used.connect_timeout + used.read_timeout) + sum(2**n for n in range(attempts - 1)))


def test_hanging_calls_leave_the_function_time_to_raise_its_error() -> None:
    read, mutate = longest_call(appstream.READ), longest_call(appstream.MUTATE)
    # A call that changes something is sent once, and waits longer than an attempt to read.
    assert (read, mutate) == (24, 27)
    # A stop describes, reads the tags and stops.
    assert 2 * read + mutate + 4 < FUNCTION_TIMEOUT.to_seconds() < 90
