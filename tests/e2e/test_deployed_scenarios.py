"""The shared scenarios on the deployed template, with the functions in Lambda's own runtime client.

`make test` plays one of each kind, `make test-full` all of them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from tests import scenarios
from tests.e2e.conftest import Deployment, eventually
from tests.scenarios import Outcome, Scenario

# One worker plays them, side by side.
pytestmark = pytest.mark.xdist_group("scenarios")

AT_ONCE = 4
"""Each keeps a process of every function busy."""

Played = Mapping[str, Future[Outcome]]


def kind(scenario: Scenario) -> tuple[str, str, bool, bool]:
    """The result, the route, whose start it is, and whether there is one."""
    return scenario.error or scenario.outcome, scenario.route, scenario.started, scenario.starts > 0


FIRST_OF_ITS_KIND = {kind(scenario): scenario.id for scenario in reversed(scenarios.ALL)}


def marked(scenario: Scenario) -> Any:
    marks = () if scenario.id in FIRST_OF_ITS_KIND.values() else pytest.mark.full
    return pytest.param(scenario, id=scenario.id, marks=marks)


@pytest.fixture(scope="module")
def played(deployment: Deployment, request: pytest.FixtureRequest) -> Iterator[Played]:
    """The outcomes of the selected scenarios, by id; a few are played at a time, before their tests need them."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function) and item.path == request.path]
    selected: list[Scenario] = [item.callspec.params["scenario"] for item in items if hasattr(item, "callspec")]  # type: ignore[misc]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {scenario.id: pool.submit(deployment.play, scenario) for scenario in selected}
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("scenario", [marked(scenario) for scenario in scenarios.ALL])
def test_scenario(played: Played, scenario: Scenario) -> None:
    scenario.check(played[scenario.id].result())


def test_no_execution_is_notified_twice(deployment: Deployment, played: Played) -> None:
    failed = [run for run in (future.result() for future in played.values()) if run.error]
    arns = [message.partition("EXECUTION\n")[2].partition("\n")[0] for run in failed for message in run.messages]
    assert len(set(arns)) == len(failed) >= 15
    # Status change events are handled in order: all of these when that of a later execution is.
    arns.append(deployment.run({"Name": ""})["executionArn"])
    eventually(lambda: set(arns) <= status_changes(deployment), "the events of all of them handled")
    notified = Counter(message.partition("EXECUTION\n")[2].partition("\n")[0] for message in deployment.messages())
    assert {arn: notified[arn] for arn in arns} == dict.fromkeys(arns, 1)


def status_changes(deployment: Deployment) -> set[str]:
    """The executions whose status change event the function has handled, after the workflow had sent a notification."""
    entries = [json.loads(line) for line in deployment.logs("NotifyOperators") if '"level"' in line]
    return {entry["execution"] for entry in entries if "operators have been notified" in entry["message"]}
