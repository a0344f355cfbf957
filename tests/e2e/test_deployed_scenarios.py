"""The shared scenarios for real: the deployed template on MiniStack, the functions in Lambda's own runtime client."""

import pytest

from tests import scenarios
from tests.e2e.conftest import Played
from tests.scenarios import Scenario

pytestmark = pytest.mark.xdist_group("e2e")


@scenarios.parametrize(scenarios.ALL)
def test_scenario(played: Played, scenario: Scenario) -> None:
    scenario.check(played.outcome(scenario))
