"""What the report makes of an execution. How it looks is for the browser: tests/e2e/test_report.py."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import report as module
from cli.definition import FLEET, START, definition
from cli.diagram import Way
from cli.history import Run
from cli.report import Seen, report, rows, seen, taken_ways
from lambdas.image_builder.execution_result import read_execution_result
from tests.unit.cli.test_history import answered, entered, failed, look, run

WORKFLOW = json.loads(definition(START))


def looks(first: float, *states: str) -> list[tuple[float, str, dict[str, Any]]]:
    """Rounds of waiting, looking and deciding, a minute each."""
    events = []
    for number, state in enumerate(states):
        at = first + 60 * number
        events += [
            entered(at, "Wait before next poll", "Wait"),
            (at + 58, "WaitStateExited", {"name": "Wait before next poll"}),
            entered(at + 58, "Poll image builder"),
            (at + 58, "TaskScheduled", {}),
            answered(at + 59, look(state)),
            (at + 59, "TaskStateExited", {"name": "Poll image builder"}),
            entered(at + 59, "Evaluate builder state", "Choice"),
            (at + 60, "ChoiceStateExited", {"name": "Evaluate builder state"}),
        ]
    return events


def test_looks_that_find_nothing_new_are_one_line() -> None:
    found = rows(run(*looks(0, "PENDING", "PENDING", "PENDING", "PENDING", "RUNNING")))
    assert [(row.state, row.happened) for row in found] == [
        ("Wait before next poll", ()),
        ("Poll image builder", (("", "the image builder is PENDING"),)),
        ("Evaluate builder state", ()),
        ("3 looks", (("", "the image builder is still PENDING"),)),
        ("Wait before next poll", ()),
        ("Poll image builder", (("", "the image builder is RUNNING"),)),
        ("Evaluate builder state", ()),
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
    states = ("Read error", "Route error", "Check stop on failure")
    return run(*(entered(1, name) for name in states), status="FAILED", error="E", cause=cause)


def test_of_two_routes_to_one_state_the_one_that_was_taken_is_marked() -> None:
    for route in ("fail", "notify"):
        (read, chosen) = taken_ways(failing(route), WORKFLOW)
        assert (read.source, read.route) == ("Read error", "")
        assert (chosen.target, chosen.route) == ("Check stop on failure", route)


def test_the_way_of_an_error_is_told_from_that_of_a_success() -> None:
    calls = ("Publish failure event", "Notify operators")
    told = run(entered(1, calls[0]), (1, "TaskScheduled", {}), answered(2, {}), entered(3, calls[1]))
    untold = run(entered(1, calls[0]), (1, "TaskScheduled", {}), failed(2, "E", "m"), entered(3, calls[1]))
    assert taken_ways(told, WORKFLOW) == [Way(*calls, "", ())]
    assert taken_ways(untold, WORKFLOW) == [Way(*calls, "error", ())]


def test_nothing_that_somebody_else_wrote_becomes_markup() -> None:
    hostile = "<script>alert(1)</script>"
    found = run(
        entered(1, "Notify operators"),
        (1, "TaskScheduled", {}),
        failed(2, hostile, hostile),
        (2, "TaskScheduled", {}),
        answered(3, {"Notified": True, "Subject": hostile, "Message": hostile, **look(hostile)}),
        status="FAILED",
        input=json.dumps({"Name": hostile}),
        error=hostile,
        cause=json.dumps({"Route": hostile, "Message": hostile, "Advice": hostile}),
    )
    page = report(found, WORKFLOW)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") > 8


def card(found: Run) -> dict[str, str]:
    """What the card of the report says."""
    page = report(found, WORKFLOW)
    facts = re.search(r"<dl>(.*?)</dl>", page, re.DOTALL)
    assert facts
    return dict(re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", facts[1]))


def test_an_execution_that_goes_on_is_neither_a_success_nor_a_failure() -> None:
    page = report(run(entered(1, "Validate request")), WORKFLOW)
    assert 'class="card running"' in page
    assert "The execution goes on: this report shows it" in page
    assert "The Cause" not in page


def test_the_state_of_an_execution_that_goes_on_lasts_until_now() -> None:
    found = run(entered(1, "Wait before next poll", "Wait"))
    found.began = datetime.now(UTC) - timedelta(minutes=10)
    found.steps[0].entered = 60
    (row,) = rows(found)
    assert 9 * 60 <= row.length < 10 * 60
    assert row.offset + row.share == pytest.approx(100, abs=0.1)


def ended(kind: str, status: str, **described: Any) -> Run:
    return run((1, kind, {}), status=status, **described)


ABORTED = ended("ExecutionAborted", "ABORTED", error="by hand", cause="It was me.")
ODD = ended("ExecutionFailed", "FAILED", error="Odd.Error", cause='{"errorMessage": "Trouble."}')


def test_an_end_that_the_workflow_did_not_make_is_told_as_to_the_operators() -> None:
    told = read_execution_result({"executionArn": "a:b:c:d:e", "status": "ABORTED", "cause": "It was me."})
    assert (card(ABORTED)["What happened"], card(ABORTED)["What to do"]) == (told.message, told.advice)
    assert "Nothing in this history says that they were told" in report(ABORTED, WORKFLOW)
    assert "Trouble." in card(ODD)["What happened"]


@pytest.mark.parametrize(
    ("found", "section"),
    [
        (failing("fail"), ""),
        (run(status="FAILED", error="ImageBuilderFailed", cause="{}"), "#ImageBuilderFailed"),
        (ended("ExecutionTimedOut", "TIMED_OUT"), "#States.Timeout"),
        (ended("ExecutionAborted", "ABORTED"), "#Aborted"),
        (ABORTED, "#Aborted"),
        (ODD, ""),
        (ended("ExecutionFailed", "FAILED"), "#Unknown"),
    ],
)
def test_the_runbook_is_named_with_the_section_that_it_has(found: Run, section: str) -> None:
    assert card(found)["Runbook"] == f"docs/runbook.md{section}"


def test_a_result_is_told_with_what_to_do_next() -> None:
    output = {"Outcome": "Running", "Started": True, "Polls": 2, "Advice": "Connect to it."}
    assert card(run(status="SUCCEEDED", output=json.dumps(output))) == {
        "Outcome": "Running",
        "Started": "true",
        "Polls": "2",
        "Advice": "Connect to it.",
    }


GOOD = {"Index": 0, "Name": "gold", "Outcome": "Running", "Started": True}
BAD = {"Index": 1, "Name": None, "Outcome": "Failed", "Error": "InvalidRequest", "Message": "Name: is required"}
SUMMARY = {"Requested": 2, "Running": 1, "Failed": 1, "Results": [GOOD, BAD]}
CAUSE = {"Route": "notify", "Message": "m", "Advice": "a", **SUMMARY, "Results": [BAD]}
COUNTED = (1.0, "PassStateExited", {"name": "Count", "assignedVariables": {"summary": json.dumps(SUMMARY)}})


@pytest.mark.parametrize(
    ("found", "listed"),
    [
        (run(status="SUCCEEDED", output=json.dumps(SUMMARY)), [GOOD, BAD]),
        (run(entered(1, "Count", "Pass"), COUNTED, status="FAILED", error="E", cause=json.dumps(CAUSE)), [GOOD, BAD]),
        (run(status="FAILED", error="E", cause=json.dumps(CAUSE)), [BAD]),
    ],
    ids=["succeeded", "failed", "failed-without-variables"],
)
def test_a_fleet_is_told_by_its_counts_and_the_result_of_each(found: Run, listed: list[dict[str, Any]]) -> None:
    facts = card(found)
    assert (facts["Requested"], facts["Running"], facts["Failed"]) == ("2", "1", "1")
    page = report(found, json.loads(definition(FLEET)))
    assert ("Running: started" in page) is (GOOD in listed)
    assert "Failed: InvalidRequest</span> Name: is required" in page


@pytest.mark.parametrize("output", ['{"Results": 7}', '{"Results": [7]}', "[]", "7"])
def test_what_only_looks_like_the_result_of_a_fleet_is_none(output: str) -> None:
    assert "<h2>Results</h2>" not in report(run(status="SUCCEEDED", output=output), WORKFLOW)


@pytest.mark.parametrize("output", ["", ".", "/", "a/.."])
def test_what_names_no_file_is_refused_before_anything_else(
    output: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["report", "--output", output])
    assert module.main() == 2
    assert capsys.readouterr().err == f"OUTPUT: must be a file to write, not {output!r}\n"


def test_a_file_that_cannot_take_its_place_is_not_left_behind(tmp_path: Path) -> None:
    class StepFunctions:
        def describe_state_machine_for_execution(self, **_: Any) -> Any:
            return {"definition": definition(START)}

    taken = tmp_path / "report.html"
    taken.mkdir()
    with pytest.raises(OSError, match=r"report\.html"):
        module.write_report(StepFunctions(), run(), taken)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == [taken]
