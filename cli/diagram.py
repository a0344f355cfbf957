"""The diagram of a workflow, drawn from its definition: states and the ways between them, by colour."""

import json
import os
import re
import shutil
import subprocess  # nosec B404 # runs Graphviz
import textwrap
from collections.abc import Collection, Iterator, Mapping
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader

from cli.definition import FLEET, START, STOP

PROJECT = Path(__file__).parent.parent
DIAGRAMS = {source: PROJECT / "docs" / source.name.replace(".asl.json", ".svg") for source in (START, STOP, FLEET)}

# Colours that people who see no red or no green can distinguish; each kind of way has a line of its own as well.
STYLE = (PROJECT / "cli" / "diagram.css").read_text("utf-8")


class Way(NamedTuple):
    """From one state to another, for one kind of reason.

    Its kind is "failure" into where no success is possible any more; "retry"; "error" where a task failed; else empty.
    """

    source: str
    target: str
    kind: str
    reasons: tuple[str, ...]


def ways(definition: Mapping[str, Any]) -> list[Way]:
    """Every way between the states of a definition, those of one kind together."""
    states = definition["States"]
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for source, state in states.items():
        for target, kind, reason in _ways_from(state):
            if _can_succeed(states, source) and not _can_succeed(states, target):
                kind = "failure"
            elif states[target]["Type"] == "Wait" and ("retry" in target or source == "Route error"):
                kind = "retry"
            reasons.setdefault((source, target, kind), []).append(reason)
    return [Way(*ends, tuple(dict.fromkeys(filter(None, found)))) for ends, found in reasons.items()]


def _ways_from(state: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    if "Next" in state:
        yield state["Next"], "", ""
    for rule in state.get("Choices", []):
        # The first sentence of a comment is the reason.
        yield rule["Next"], "", rule.get("Comment", "").split(". ")[0].rstrip(".")
    if "Default" in state:
        yield state["Default"], "", "otherwise"
    for catcher in state.get("Catch", []):
        yield catcher["Next"], "error", ""


def _can_succeed(states: Mapping[str, Any], name: str) -> bool:
    """Whether a way leads from a state to one that ends the execution with success."""
    return any("End" in states[path[-1]] for path in _paths(states, name))


def _paths(states: Mapping[str, Any], start: str) -> Iterator[list[str]]:
    """The shortest path from a state to each that it leads to, the nearest first; tasks that fail are no part of it."""
    paths = [[start]]
    seen = {start}
    for path in paths:
        yield path
        for target, kind, _ in _ways_from(states[path[-1]]):
            if not kind and target not in seen:
                seen.add(target)
                paths.append([*path, target])


def main_path(definition: Mapping[str, Any]) -> list[str]:
    """The states from the first one to the first of the definition in which an execution ends with success."""
    states = definition["States"]
    end = next((name for name, state in states.items() if "End" in state), "")
    return next((path for path in _paths(states, definition["StartAt"]) if path[-1] == end), [])


def _dot(definition: Mapping[str, Any], taken: Collection[str | Way]) -> str:
    """A definition in Graphviz's language."""
    environment = Environment(
        loader=FileSystemLoader(PROJECT / "cli"),
        trim_blocks=True,
        autoescape=False,  # nosec B701 # no HTML: the filter `escaped` is for Graphviz
    )
    environment.filters["escaped"] = _escaped
    environment.filters["lines"] = lambda text, width: [_escaped(line) for line in textwrap.wrap(text, width)]
    main = main_path(definition)
    return environment.get_template("diagram.dot.jinja").render(
        states=definition["States"],
        start=definition["StartAt"],
        main=main,
        steps=[*pairwise(main)],
        ways=ways(definition),
        taken=taken,
    )


def svg(definition: Mapping[str, Any], taken: Collection[str | Way] = ()) -> str:
    """A definition as an SVG diagram, in light or dark colours as the page that shows it.

    The elements of the states and ways that are taken get the class "taken".
    """
    node = shutil.which("node", path=f"{PROJECT / '.venv' / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    drawn = subprocess.run(  # nosec B603 # the arguments of this line
        [node or "node", str(PROJECT / "cli" / "dot.mjs")],
        input=_dot(definition, taken),
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stdout
    # Without Graphviz's names of the elements, which a browser would show as tooltips.
    body = re.sub(r'<g id="\w+" (class="[^"]*">)\n<title>[^<]*</title>', r"<g \1", drawn[drawn.index("<g id=") :])
    body = re.sub(r"<!--.*?-->\n?", "", body, flags=re.DOTALL)
    size = re.search(r'viewBox="([\d.]+ [\d.]+ ([\d.]+) [\d.]+)"', drawn)
    title = escape(re.split(r"[:\n]", definition.get("Comment", "A workflow"))[0])
    view = f'width="{float(size[2]):.0f}" viewBox="{size[1]}"' if size else ""
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img" aria-label="{title}">'
    return f"{head}\n<style>\n{STYLE}</style>\n{body}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def main() -> None:
    """Draw the definitions of this project into docs/."""
    for source, diagram in DIAGRAMS.items():
        diagram.write_text(svg(json.loads(source.read_text("utf-8"))), "utf-8")
