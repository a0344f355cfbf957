"""The diagrams in docs/ show the workflows as they are."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.diagram import DIAGRAMS, Way, svg, ways


@pytest.mark.parametrize("source", DIAGRAMS, ids=lambda source: source.stem)
def test_the_picture_is_drawn_from_the_definition(source: Path) -> None:
    assert DIAGRAMS[source].read_text("utf-8") == svg(json.loads(source.read_text("utf-8"))), "run `make docs`"


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
            {"Comment": "Retry: it may pass. Later.", "Next": "Wait"},
            {"Comment": "Fail: yours", "Assign": {"failure": "{% {'Route': 'fail'} %}"}, "Next": "Stop"},
            {"Comment": "Notify: ours", "Assign": {"failure": {"Route": "notify"}}, "Next": "Stop"},
            {"Comment": "Notify: theirs", "Assign": {"failure": "{% {'Advice': 'x'} %}"}, "Next": "Stop"},
        ],
        "Default": "Stop",
    },
    Wait={"Type": "Wait", "Next": "Call"},
    Stop={"Type": "Fail"},
    Done={"Type": "Pass", "End": True},
)


def test_ways_have_the_route_that_the_definition_gives_them() -> None:
    assert ways(EXAMPLE) == [
        Way("Call", "Done", "", ()),
        Way("Call", "Choose", "error", ()),
        Way("Choose", "Wait", "retry", ("it may pass",)),
        Way("Choose", "Stop", "fail", ("yours",)),
        Way("Choose", "Stop", "notify", ("ours", "theirs", "anything else")),
        Way("Wait", "Call", "", ()),
    ]


def test_what_is_taken_is_marked_and_nothing_else() -> None:
    drawn = svg(EXAMPLE, ["Choose", Way("Choose", "Stop", "notify", ("ours", "theirs", "anything else"))])
    marked = re.findall(r'<g class="([^"]*taken)">(.*?)</g>', drawn, re.DOTALL)
    assert [(kind, "Choose" in body, "theirs" in body) for kind, body in marked] == [
        ("node taken", True, False),
        ("edge notify taken", False, True),
    ]


def test_what_a_definition_says_cannot_break_the_picture() -> None:
    drawn = svg(definition(**{'<b>"&\\': {"Type": "Pass", "End": True}}))
    assert 'aria-label="Try &lt;it&gt; &amp; &quot;quote&quot;"' in drawn
    assert "<b>" not in drawn
