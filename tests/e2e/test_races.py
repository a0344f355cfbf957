"""Many executions at once on one image builder of the deployed template, with a process for each concurrent call."""

from tests.e2e.conftest import Deployment

EXECUTIONS = 50


def test_of_fifty_executions_at_once_one_starts_the_builder_and_all_succeed(deployment: Deployment) -> None:
    name = deployment.builder()
    executions = [deployment.start({"Name": name, "TimeoutMinutes": 720}) for _ in range(EXECUTIONS)]
    outcomes = [deployment.outcome(execution, name) for execution in executions]
    assert [outcome.status for outcome in outcomes] == ["SUCCEEDED"] * EXECUTIONS
    assert outcomes[0].starts == 1
    assert [outcome.output["Started"] for outcome in outcomes].count(True) == 1
    assert all(outcome.messages == [] for outcome in outcomes)
