"""The diagram of a workflow, drawn from its definition: states, ways between them, and the routes of errors in colour.

`python -m local.diagram` draws the definitions of this project into docs/.
"""

import json
import os
import re
import shutil
import subprocess  # nosec B404 # runs Graphviz
import textwrap
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

from cli.definition import FLEET, START, STOP

PROJECT = Path(__file__).parent.parent
DIAGRAMS = {source: PROJECT / "docs" / source.name.replace(".asl.json", ".svg") for source in (START, STOP, FLEET)}

STYLE = """
:root { --paper: #ffffff; --ink: #1f2328; --line: #6e7781; --box: #f6f8fa;
  --retry: #0060a8; --fail: #b34700; --notify: #a03070; --success: #00734f; }
@media (prefers-color-scheme: dark) { :root { --paper: #0d1117; --ink: #e6edf3; --line: #8b949e; --box: #161b22;
  --retry: #6cb6ff; --fail: #ff9d5c; --notify: #f59ad0; --success: #56d4a4; } }
.graph > polygon { fill: var(--paper); stroke: none; }
text { fill: var(--ink); font-family: Helvetica, Arial, sans-serif; }
.node path, .node polygon, .node ellipse { fill: var(--box); stroke: var(--line); }
.edge path { stroke: var(--line); }
.edge polygon { fill: var(--line); stroke: var(--line); }
.edge text { fill: var(--ink); paint-order: stroke; stroke: var(--paper); stroke-width: 4px; }
"""
"""Colours that people who see no red or no green can tell apart; each route has a line of its own as well."""

ROUTES = ("retry", "fail", "notify", "success")
STYLE += "".join(
    f".{route} path, .node.{route} polygon {{ stroke: var(--{route}); stroke-width: 2; }}\n"
    f".edge.{route} polygon {{ fill: var(--{route}); stroke: var(--{route}); }}\n"
    f".edge.{route} text {{ fill: var(--{route}); }}\n"
    for route in ROUTES
)

_LINES = {"retry": "dashed", "fail": "solid", "notify": "bold", "error": "dotted"}
_SHAPES = {"Choice": "hexagon", "Wait": "oval"}
_GAP = "\N{NO-BREAK SPACE}\N{NO-BREAK SPACE}"
LEGEND = r"Routes — retry: blue, dashed · fail: orange · notify: purple, bold.\nGreen: success.   Dotted: an error."
"""Two lines: where no Helvetica is, a wider font takes its place, and a small diagram would cut one long line off."""


@dataclass(frozen=True, slots=True)
class Way:
    """From one state to another, for one kind of reason.

    Attributes:
        route: "retry", "fail" or "notify" where the way is a route of an error; "error" from a Catch; else "".
        reasons: in words, for each rule that leads this way.
    """

    source: str
    target: str
    route: str
    reasons: tuple[str, ...]


def ways(definition: Mapping[str, Any]) -> list[Way]:
    """Every way between the states of a definition, those of one route together."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for source, state in definition["States"].items():
        for target, route, reason in _ways_from(state):
            reasons.setdefault((source, target, route), []).append(reason)
    return [Way(*ends, tuple(dict.fromkeys(filter(None, found)))) for ends, found in reasons.items()]


def main_path(definition: Mapping[str, Any]) -> list[str]:
    """The states from the first one to the first state in which the workflow succeeds, by the shortest way."""
    end = next((name for name, state in definition["States"].items() if state.get("End")), "")
    paths = deque([[definition["StartAt"]]])
    seen = {definition["StartAt"]}
    while paths:
        path = paths.popleft()
        if path[-1] == end:
            return path
        for way in ways(definition):
            if way.source == path[-1] and way.route == "" and way.target not in seen:
                seen.add(way.target)
                paths.append([*path, way.target])
    return []


def _ways_from(state: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "Next" in state:
        yield state["Next"], "", ""
    for rule in state.get("Choices", []):
        yield rule["Next"], _route(rule), _reason(rule)
    if "Default" in state:
        yield state["Default"], "notify", "anything else"
    for catcher in state.get("Catch", []):
        yield catcher["Next"], _route(catcher) or "error", ""


def _route(rule: Mapping[str, Any]) -> str:
    """The route of a Choice rule or a Catch, as what it assigns to `failure`, or its comment, says."""
    failure = rule.get("Assign", {}).get("failure")
    if isinstance(failure, dict):
        return str(failure["Route"])
    if failure:
        return "fail" if "'Route': 'fail'" in failure else "notify"
    return "retry" if rule.get("Comment", "").startswith(("Retry:", "BuilderStatus again:")) else ""


def _reason(rule: Mapping[str, Any]) -> str:
    """The first clause of a rule's comment, without its route."""
    said = re.sub(r"^(Fail|Notify|Retry|BuilderStatus again): ", "", rule.get("Comment", ""))
    return re.split(r"[.:](?: |$)", said)[0]


def dot(definition: Mapping[str, Any]) -> str:
    """A definition in Graphviz's language."""
    lines = [
        "digraph {",
        '  graph [rankdir=TB nodesep=0.4 ranksep=0.45 fontname="Helvetica" bgcolor=white',
        f'    label="{LEGEND}" labelloc=b fontsize=12];',
        '  node [shape=box style=rounded fontname="Helvetica" fontsize=13 margin="0.22,0.1"];',
        '  edge [fontname="Helvetica" fontsize=10.5 arrowsize=0.7];',
    ]
    main = main_path(definition)
    for name, state in definition["States"].items():
        shape = _SHAPES.get(state["Type"], "box")
        style = "" if shape != "box" else "style=rounded"
        retries = max((retrier["MaxAttempts"] for retrier in state.get("Retry", [])), default=0)
        notes = [f"↻ retried up to {retries} times"] if retries else []
        notes += ["a run for each, side by side"] if state["Type"] == "Map" else []
        label = "\\n".join([*_wrapped([name], 24), *notes])
        ending = "success" if state.get("End") else "fail" if state["Type"] == "Fail" else ""
        extra = "peripheries=2" if ending or name == definition["StartAt"] else ""
        group = "group=main" if name in main else ""
        lines.append(f'  "{_escaped(name)}" [label="{label}" shape={shape} {style} {extra} {group} class="{ending}"];')
    for way in ways(definition):
        bullet = "• " if len(way.reasons) > 1 else ""
        reasons = _wrapped((f"{bullet}{reason}" for reason in way.reasons), 30)
        label = "".join(f"{_GAP}{reason}\\l" for reason in reasons)
        line = f"style={_LINES[way.route]}" if way.route else ""
        straight = (way.source, way.target) in pairwise(main) and way.route == ""
        line += " weight=1000" if straight else ""
        ends = f'"{_escaped(way.source)}" -> "{_escaped(way.target)}"'
        lines.append(f'  {ends} [label="{label}" {line} class="{way.route}"];')
    return "\n".join([*lines, "}"])


def svg(definition: Mapping[str, Any], taken: Collection[str | Way] = ()) -> str:
    """A definition as an SVG diagram that follows the light or dark of what shows it.

    Args:
        definition: a state machine's, as JSON gives it.
        taken: the states and ways to mark: their elements get the class "taken".
    """
    node = shutil.which("node", path=f"{PROJECT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    drawn = subprocess.run(  # nosec B603 # the arguments of this line
        [node or "node", str(PROJECT / "cli" / "dot.mjs")],
        input=dot(definition),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stdout
    # Graphviz numbers states and ways in the order in which `dot` names them.
    numbered = {f"node{number}": name for number, name in enumerate(definition["States"], 1)}
    numbered |= {f"edge{number}": way for number, way in enumerate(ways(definition), 1)}

    def named(match: re.Match[str]) -> str:
        mark = " taken" if numbered[match[1]] in taken else ""
        return f'<g class="{match[2]}{mark}">'

    body = re.sub(r'<g id="(\w+)" class="([^"]*)">\n<title>[^<]*</title>', named, drawn[drawn.index("<g id=") :])
    body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL)
    size = re.search(r'viewBox="([\d.]+ [\d.]+ ([\d.]+) [\d.]+)"', drawn)
    title = escape(definition.get("Comment", "A workflow").split(":")[0])
    view = f'width="{float(size[2]):.0f}" viewBox="{size[1]}"' if size else ""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{title}">'
    return f"{head}\n<style>{STYLE}</style>\n{body}"


def _wrapped(texts: Iterable[str], width: int) -> list[str]:
    return [_escaped(line) for text in texts for line in textwrap.wrap(text, width)]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def main() -> None:
    """Draw the definitions of this project."""
    for source, diagram in DIAGRAMS.items():
        diagram.write_text(svg(json.loads(source.read_text("utf-8"))), "utf-8")


if __name__ == "__main__":
    main()
