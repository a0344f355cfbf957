"""Which versions `make rollback TO=previous` moves the aliases to."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from cli.account import AccountError
from cli.rollback import previous


def at(minute: int) -> datetime:
    return datetime(2026, 1, 1, 12, minute, tzinfo=UTC)


def found(published: Mapping[str, list[int]], began: list[int]) -> dict[str, str]:
    """Args: published: by workflow, the minutes of its versions 1, 2, ... The last of each was deployed last."""
    versions = {
        name: {f"{name}:{number}": at(minute) for number, minute in enumerate(minutes, 1)}
        for name, minutes in published.items()
    }
    deployed = {name: list(numbers)[-1] for name, numbers in versions.items()}
    return previous(versions, deployed, [at(minute) for minute in began])


def test_all_three_go_back_behind_the_last_deployment() -> None:
    published = {"start": [1, 11, 21], "stop": [1, 20], "fleet": [2, 22]}
    assert found(published, began=[0, 10, 19]) == {"start": "start:2", "stop": "stop:1", "fleet": "fleet:1"}


def test_a_workflow_that_the_last_deployment_did_not_change_stays() -> None:
    published = {"start": [1, 21], "stop": [1], "fleet": [2]}
    assert found(published, began=[0, 19]) == {"start": "start:1", "stop": "stop:1", "fleet": "fleet:1"}


def test_a_deployment_that_published_no_version_does_not_count() -> None:
    published = {"start": [1, 21], "stop": [1], "fleet": [2]}
    assert found(published, began=[0, 19, 30]) == found(published, began=[0, 19])


@pytest.mark.parametrize(
    ("began", "sentence"), [([0], "before the last deployment .2026-01-01 12:00 UTC. of: start, stop"), ([], "90 days")]
)
def test_without_an_earlier_version_nothing_moves(began: list[int], sentence: str) -> None:
    with pytest.raises(AccountError, match=sentence):
        found({"start": [1], "stop": [1]}, began)
