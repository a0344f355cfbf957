"""The diagrams in docs/ show the workflows as they are."""

import json
import re
from html import unescape
from pathlib import Path

import pytest

from cli.definition import START
from cli.diagram import DIAGRAMS, main_path, svg, ways

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


def test_what_is_taken_is_marked_and_nothing_else() -> None:
    workflow = json.loads(START.read_text("utf-8"))
    failure = next(way for way in ways(workflow) if way.kind == "failure")
    marked = re.findall(r'<g class="([^"]*taken)">(.*?)</g>', svg(workflow, [failure.source, failure]), re.DOTALL)
    assert [kind for kind, _ in marked] == ["node taken", "edge failure taken"]
    assert failure.source in marked[0][1]


def test_no_text_of_a_definition_can_break_the_picture() -> None:
    states = {'<b>"&\\': {"Type": "Pass", "End": True}}
    drawn = svg({"Comment": 'Try <it> & "quote": more', "StartAt": next(iter(states)), "States": states})
    assert 'aria-label="Try &lt;it&gt; &amp; &quot;quote&quot;"' in drawn
    assert "<b>" not in drawn
