"""Random runs of several executions, people and auto-stops on one virtual clock; an oracle knows each start's owner."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.scenarios import BUILDER
from tests.workflow.simulation import ACTIONS, CALLS, INVOCATIONS, OPERATIONS, SHORTEST_START, Action, Model, Outage

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "120"))
MOMENTS = st.one_of(st.sampled_from([0, 1, 50, 230, 400]), st.integers(0, 2_500))
FUNCTIONS = ["validate_request", "start_image_builder", "describe_image_builder", "stop_image_builder"]


def outage(targets: Iterable[str], kinds: Iterable[str]) -> st.SearchStrategy[Outage]:
    lengths = st.sampled_from([2, 60, 400, 1_500])
    return st.builds(Outage, MOMENTS, lengths, st.sampled_from(list(targets)), st.sampled_from(list(kinds)))


OUTAGES = st.one_of(
    outage(["*", *OPERATIONS], CALLS),
    outage(FUNCTIONS, INVOCATIONS),
    outage(["StartExecution"], ["before", "after"]),
    outage(["Publish"], ["before"]),
)
ACTION = st.builds(
    Action,
    MOMENTS,
    st.sampled_from(["start", "stop", "restart", "restart", "abort", *ACTIONS]),
    st.sampled_from([0, 40, 130, 300]),
)
REQUEST = st.fixed_dictionaries(
    {
        "Name": st.just(BUILDER),
        "PollIntervalSeconds": st.sampled_from([60, 23, 150, 300]),
        "TimeoutMinutes": st.sampled_from([6, 5, 10, 20]),
        "StopAfterMinutes": st.sampled_from([1, 4, 10, 20, None]),
    },
    optional={
        "StopOnFailure": st.booleans(),
        "NotifyOnSuccess": st.booleans(),
        "RequireNetworkInterface": st.booleans(),
    },
).map(lambda request: {key: value for key, value in request.items() if value is not None})
BUILDERS = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["STOPPED", "STOPPED", "RUNNING", [["STOPPING", 100], ["STOPPED", None]]]),
        "durations": st.fixed_dictionaries(
            {
                "pending": st.sampled_from([SHORTEST_START, 320, 400, 600]),
                "stopping": st.sampled_from([60, 150, 240]),
                "network_interface": st.sampled_from([0, 200]),
            }
        ),
        "next_start": st.sampled_from(
            [None, None, None, [["PENDING", 200], ["STOPPED", None]], [["PENDING", 200], ["FAILED", None]]]
        ),
        "tags": st.sampled_from([{}, {}, {}, {"Skip_Stop": ""}]),
    }
)


@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    builder=BUILDERS,
    outages=st.lists(OUTAGES, max_size=3),
    first=REQUEST,
    others=st.lists(st.tuples(MOMENTS, REQUEST), max_size=2),
    actions=st.lists(ACTION, max_size=3),
)
def test_each_execution_stops_and_reports_only_its_own_start(
    builder: Mapping[str, Any], outages: list[Outage], first: Any, others: Any, actions: list[Action]
) -> None:
    model = Model(builder, outages)
    model.play([(0, first), *others], actions)
    assert model.violations == []
