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


@pytest.mark.parametrize(
    ("published", "began", "versions"),
    [
        ({"start": [1, 11, 21], "stop": [1, 20], "fleet": [2, 22]}, [0, 10, 19], ["start:2", "stop:1", "fleet:1"]),
        ({"start": [1, 21], "stop": [1], "fleet": [2]}, [0, 19], ["start:1", "stop:1", "fleet:1"]),
        ({"start": [1, 21], "stop": [1], "fleet": [2]}, [0, 19, 30], ["start:1", "stop:1", "fleet:1"]),
    ],
    ids=["all-changed", "one-changed", "a-later-deployment-published-none"],
)
def test_all_three_go_back_behind_the_last_deployment_that_published_a_version(
    published: Mapping[str, list[int]], began: list[int], versions: list[str]
) -> None:
    assert list(found(published, began).values()) == versions


@pytest.mark.parametrize(
    ("began", "sentence"), [([0], "before the last deployment .2026-01-01 12:00 UTC. of: start, stop"), ([], "90 days")]
)
def test_without_an_earlier_version_nothing_moves(began: list[int], sentence: str) -> None:
    with pytest.raises(AccountError, match=sentence):
        found({"start": [1], "stop": [1]}, began)
