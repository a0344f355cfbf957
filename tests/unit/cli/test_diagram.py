"""The diagrams in docs/ show the workflows as they are."""

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from cli.diagram import DIAGRAMS, Way, main_path, svg, ways

pytestmark = pytest.mark.needs("Node packages")


@pytest.mark.parametrize("source", DIAGRAMS, ids=lambda source: source.stem)
def test_the_diagram_is_drawn_from_the_definition(source: Path) -> None:
    assert DIAGRAMS[source].read_text("utf-8") == svg(json.loads(source.read_text("utf-8"))), "run `make docs`"


def centre(drawn: str, state: str) -> tuple[float, float]:
    """The middle of the lines of text of a state."""
    (group,) = [
        group for group in re.findall(r'<g class="node[^"]*">.*?</g>', drawn, re.DOTALL) if f">{state}<" in group
    ]
    points = re.findall(r'<text [^>]*\bx="([-\d.]+)" y="([-\d.]+)"', group)
    return float(points[0][0]), sum(float(y) for _, y in points) / len(points)


@pytest.mark.parametrize("source", DIAGRAMS, ids=lambda source: source.stem)
def test_the_main_path_is_a_straight_line_from_the_top(source: Path) -> None:
    workflow = json.loads(source.read_text("utf-8"))
    drawn = unescape(svg(workflow))
    path = main_path(workflow)
    assert (path[0], path[-1]) == (workflow["StartAt"], "Return result")
    across, down = zip(*(centre(drawn, state) for state in path), strict=True)
    assert max(across) - min(across) < 1
    assert list(down) == sorted(down)
    assert down[0] == min(centre(drawn, state)[1] for state in workflow["States"])
    width = float(re.findall(r'viewBox="[\d.]+ [\d.]+ ([\d.]+)', drawn)[0])
    assert across[0] < 0.6 * width, "neither at the left nor in the middle"


def definition(**states: Any) -> dict[str, Any]:
    return {"Comment": 'Try <it> & "quote": more', "StartAt": next(iter(states)), "States": states}


EXAMPLE = definition(
    Call={
        "Type": "Task",
        "Retry": [{"MaxAttempts": 3}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Choose"}],
        "Next": "Done",
    },
    Choose={
        "Type": "Choice",
        "Choices": [
            {"Comment": "It is busy. Later.", "Next": "Wait before retry"},
            {"Comment": "Yours", "Next": "Build cause"},
            {"Comment": "Ours", "Next": "Build cause"},
        ],
        "Default": "Build cause",
    },
    **{"Wait before retry": {"Type": "Wait", "Next": "Call"}, "Build cause": {"Type": "Pass", "Next": "Stop"}},
    Stop={"Type": "Fail"},
    Done={"Type": "Pass", "End": True},
)
FAILURE = Way("Choose", "Build cause", "failure", ("Yours", "Ours", "otherwise"))


def test_ways_are_retries_failures_or_errors() -> None:
    assert ways(EXAMPLE) == [
        Way("Call", "Done", "", ()),
        Way("Call", "Choose", "error", ()),
        Way("Choose", "Wait before retry", "retry", ("It is busy",)),
        FAILURE,
        Way("Wait before retry", "Call", "", ()),
        Way("Build cause", "Stop", "", ()),
    ]


def test_what_is_taken_is_marked_and_nothing_else() -> None:
    marked = re.findall(r'<g class="([^"]*taken)">(.*?)</g>', svg(EXAMPLE, ["Choose", FAILURE]), re.DOTALL)
    assert [(kind, "Choose" in body, "Ours" in body) for kind, body in marked] == [
        ("node taken", True, False),
        ("edge failure taken", False, True),
    ]


def test_no_text_of_a_definition_can_break_the_picture() -> None:
    drawn = svg(definition(**{'<b>"&\\': {"Type": "Pass", "End": True}}))
    assert 'aria-label="Try &lt;it&gt; &amp; &quot;quote&quot;"' in drawn
    assert "<b>" not in drawn
