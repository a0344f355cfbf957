"""Random runs of several executions, people and auto-stops on one virtual clock; an oracle knows each start's owner."""

import os
from collections.abc import Iterable, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.scenarios import BUILDER
from tests.workflow.simulation import CALLS, DEEDS, INVOCATIONS, OPERATIONS, SHORTEST_START, Deed, Model, Trouble

LIVES = int(os.environ.get("MODEL_EXAMPLES", "200"))
MOMENTS = st.one_of(st.sampled_from([0, 1, 50, 230, 400]), st.integers(0, 2_500))
FUNCTIONS = ["validate_request", "start_image_builder", "describe_image_builder", "stop_image_builder"]


def trouble(targets: Iterable[str], kinds: Iterable[str]) -> st.SearchStrategy[Trouble]:
    lengths = st.sampled_from([2, 60, 400, 1_500])
    return st.builds(Trouble, MOMENTS, lengths, st.sampled_from(list(targets)), st.sampled_from(list(kinds)))


TROUBLES = st.one_of(
    trouble(["*", *OPERATIONS], CALLS),
    trouble(FUNCTIONS, INVOCATIONS),
    trouble(["StartExecution"], ["before", "after"]),
    trouble(["Publish"], ["before"]),
)
DEED = st.builds(
    Deed,
    MOMENTS,
    st.sampled_from(["start", "stop", "restart", "restart", "abort", *DEEDS]),
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
    max_examples=LIVES,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    builder=BUILDERS,
    troubles=st.lists(TROUBLES, max_size=3),
    first=REQUEST,
    others=st.lists(st.tuples(MOMENTS, REQUEST), max_size=2),
    deeds=st.lists(DEED, max_size=3),
)
def test_each_execution_stops_and_reports_only_its_own_start(
    builder: Mapping[str, Any], troubles: list[Trouble], first: Any, others: Any, deeds: list[Deed]
) -> None:
    model = Model(builder, troubles)
    model.play([(0, first), *others], deeds)
    assert model.violations == []
