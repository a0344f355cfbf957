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
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    client = appstream.connect()
    with Stubber(client) as stubber:
        yield client, stubber


def test_a_builder_is_described_as_it_is(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    builder = {"Name": "gold", "State": "RUNNING", "Platform": "WINDOWS_SERVER_2022"}
    stubber.add_response("describe_image_builders", {"ImageBuilders": [builder]}, {"Names": ["gold"]})
    assert appstream.describe(client, "gold") == builder


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"ImageBuilders": []},
        {"ImageBuilders": [{"Name": "other", "State": "RUNNING"}]},
        {"ImageBuilders": [{"Name": "gold"}]},
    ],
)
def test_an_answer_without_the_builders_state_is_no_answer(stubbed: tuple[Any, Stubber], answer: Any) -> None:
    client, stubber = stubbed
    stubber.add_response("describe_image_builders", answer)
    with pytest.raises(RoutedError, match="without the State of image builder gold") as caught:
        appstream.describe(client, "gold")
    assert type(caught.value).__name__ == "ServiceUnavailableException"


@pytest.mark.parametrize("answer", [{}, {"ImageBuilder": {"Name": "gold"}}])
def test_an_accepted_start_may_show_no_state(stubbed: tuple[Any, Stubber], answer: dict[str, Any]) -> None:
    client, stubber = stubbed
    stubber.add_response("start_image_builder", answer, {"Name": "gold"})
    assert appstream.start(client, "gold", None) is None


def test_the_agent_version_is_passed_through_unchanged(stubbed: tuple[Any, Stubber]) -> None:
    client, stubber = stubbed
    expected = {"Name": "gold", "AppstreamAgentVersion": "LATEST"}
    stubber.add_response("start_image_builder", {"ImageBuilder": {"Name": "gold", "State": "PENDING"}}, expected)
    assert appstream.start(client, "gold", "LATEST") == {"Name": "gold", "State": "PENDING"}


def longest_call(config: Any) -> float:
    """Seconds. Standard mode waits a random part of 1, 2, 4 ... seconds between attempts."""
    attempts: int = config.retries["total_max_attempts"]
    assert config.retries["mode"] == "standard"
    return float(attempts * (config.connect_timeout + config.read_timeout) + sum(2**n for n in range(attempts - 1)))


def config_of(config: Config) -> Any:
    """What a client really uses of a configuration."""
    return appstream.connect(config).meta.config


def test_a_call_that_changes_something_is_sent_once_and_waits_longer_than_a_read() -> None:
    read, mutate = (config_of(config) for config in (appstream.READ, appstream.MUTATE))
    assert mutate.retries["total_max_attempts"] == 1
    assert mutate.read_timeout == 25
    assert longest_call(mutate) > longest_call(read) > mutate.read_timeout - 2


def test_hanging_calls_leave_the_function_time_to_raise_its_error() -> None:
    # A stop describes, reads the tags and stops.
    longest = 2 * longest_call(config_of(appstream.READ)) + longest_call(config_of(appstream.MUTATE))
    assert longest + 4 < FUNCTION_TIMEOUT.to_seconds() < 90
