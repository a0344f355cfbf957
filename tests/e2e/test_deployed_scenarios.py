"""The shared scenarios on the deployed template, with the functions in Lambda's own runtime client.

`make test` plays one of each kind, `make test-full` all of them.
"""

from typing import Any

import pytest

from tests import scenarios
from tests.e2e.conftest import Deployment
from tests.scenarios import Scenario


def kind(scenario: Scenario) -> tuple[str, str, bool, bool]:
    """The result, the route, whose start it is, and whether there is one."""
    return scenario.error or scenario.outcome, scenario.route, scenario.started, scenario.starts > 0


FIRST_OF_ITS_KIND = {kind(scenario): scenario.id for scenario in reversed(scenarios.ALL)}


def marked(scenario: Scenario) -> Any:
    marks = () if scenario.id in FIRST_OF_ITS_KIND.values() else pytest.mark.full
    return pytest.param(scenario, id=scenario.id, marks=marks)


@pytest.mark.parametrize("scenario", [marked(scenario) for scenario in scenarios.ALL])
def test_scenario(deployment: Deployment, scenario: Scenario) -> None:
    scenario.check(deployment.play(scenario))
