"""What the report makes of an execution. How it looks is for the browser: tests/e2e/test_report.py."""

import json
from typing import Any

from local.definition import START, definition
from local.history import Run
from local.picture import Way
from local.report import Seen, report, rows, seen, taken_ways
from tests.unit.test_history import answered, entered, failed, look, run

WORKFLOW = json.loads(definition(START))


def looks(first: float, *states: str) -> list[tuple[float, str, dict[str, Any]]]:
    """Rounds of waiting, looking and deciding, a minute each."""
    events = []
    for number, state in enumerate(states):
        at = first + 60 * number
        events += [
            entered(at, "Wait before the next look", "Wait"),
            (at + 58, "WaitStateExited", {"name": "Wait before the next look"}),
            entered(at + 58, "Look at the image builder"),
            (at + 58, "TaskScheduled", {}),
            answered(at + 59, look(state)),
            (at + 59, "TaskStateExited", {"name": "Look at the image builder"}),
            entered(at + 59, "Decide by the phase of the image builder", "Choice"),
            (at + 60, "ChoiceStateExited", {"name": "Decide by the phase of the image builder"}),
        ]
    return events


def test_looks_that_find_nothing_new_are_one_line() -> None:
    found = rows(run(*looks(0, "PENDING", "PENDING", "PENDING", "PENDING", "RUNNING")))
    assert [(row.state, row.happened) for row in found] == [
        ("Wait before the next look", ()),
        ("Look at the image builder", (("", "the image builder is PENDING"),)),
        ("Decide by the phase of the image builder", ()),
        ("3 looks", (("", "the image builder is still PENDING"),)),
        ("Wait before the next look", ()),
        ("Look at the image builder", (("", "the image builder is RUNNING"),)),
        ("Decide by the phase of the image builder", ()),
    ]


def test_a_look_that_failed_on_the_way_stays_a_line_of_its_own() -> None:
    events = looks(0, *["PENDING"] * 6)
    events.insert(8 * 3 + 4, failed(238, "ThrottlingException", "Rate exceeded"))
    found = rows(run(*events))
    assert ("error", "ThrottlingException: Rate exceeded") in [said for row in found for said in row.happened]


def test_the_strip_shows_the_states_for_as_long_as_they_were_seen() -> None:
    found = seen(run(*looks(0, "PENDING", "PENDING", "RUNNING"), (199, "ExecutionSucceeded", {})))
    assert found == [Seen("PENDING", 59, 85.71), Seen("RUNNING", 179, 14.29)]


def failing(route: str) -> Run:
    cause = json.dumps({"Route": route, "Message": "m", "Advice": "a"})
    states = ("Read the error", "Choose the route of the error", "Say what failed")
    return run(*(entered(1, name) for name in states), status="FAILED", error="E", cause=cause)


def test_of_two_routes_to_one_state_the_one_that_was_taken_is_marked() -> None:
    for route in ("fail", "notify"):
        (read, chosen) = taken_ways(failing(route), WORKFLOW)
        assert (read.source, read.route) == ("Read the error", "")
        assert (chosen.target, chosen.route) == ("Say what failed", route)


def test_the_way_of_an_error_is_told_from_that_of_a_success() -> None:
    calls = ("Tell the operator", "Announce the failure")
    told = run(entered(1, calls[0]), (1, "TaskScheduled", {}), answered(2, {}), entered(3, calls[1]))
    untold = run(entered(1, calls[0]), (1, "TaskScheduled", {}), failed(2, "E", "m"), entered(3, calls[1]))
    assert taken_ways(told, WORKFLOW) == [Way(*calls, "", ())]
    assert taken_ways(untold, WORKFLOW) == [Way(*calls, "error", ())]


def test_nothing_that_somebody_else_wrote_becomes_markup() -> None:
    hostile = "<script>alert(1)</script>"
    found = run(
        entered(1, "Tell the operator"),
        (1, "TaskScheduled", {}),
        failed(2, hostile, hostile),
        (2, "TaskScheduled", {}),
        answered(3, {"Told": True, "Subject": hostile, "Message": hostile, **look(hostile)}),
        status="FAILED",
        input=json.dumps({"Name": hostile}),
        error=hostile,
        cause=json.dumps({"Route": hostile, "Message": hostile, "Advice": hostile}),
    )
    page = report(found, WORKFLOW)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8


def test_an_execution_that_goes_on_or_broke_off_has_a_report_too() -> None:
    assert "shows it as it was when it was written" in report(run(entered(1, "Check the request")), WORKFLOW)
    aborted = report(run((1, "ExecutionAborted", {}), status="ABORTED"), WORKFLOW)
    assert "No branch of the workflow made this end" in aborted
    assert "Nothing in this history says that they were told" in aborted
