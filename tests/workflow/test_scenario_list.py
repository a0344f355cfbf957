"""The shared scenarios in process: the workflow's own ASL, the real handlers and boto3, on a virtual clock."""

from tests import scenarios
from tests.scenarios import Scenario
from tests.workflow.conftest import World


@scenarios.parametrize(scenarios.ALL)
def test_scenario(world: World, scenario: Scenario) -> None:
    scenario.check(world.outcome(world.play(scenario)))
