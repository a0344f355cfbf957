"""`make docs`: write what the documentation takes from the code. A test checks that it is current.

With `--measure`, `make bench`: measure the rest again.
"""

import json
import logging
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bench import cold_start, compliance, demo_picture, developer_loop, fleet_load, poll_interval, run_cost
from bench.samples import SAMPLES
from cli import diagram
from infra.config.event_patterns import Trigger
from infra.config.schedules import Schedule
from infra.config.settings import reference, schema

PROJECT = Path(__file__).parent.parent
DOCS = PROJECT / "docs"
PERFORMANCE = DOCS / "performance.md"
SCHEMA = DOCS / "settings.schema.json"


def codes() -> str:
    """The codes that AppStream reports of an image builder, with the advice for each: a table in Markdown."""
    advice = json.loads((PROJECT / "lambdas" / "image_builder" / "advice.json").read_text("utf-8"))
    lines = ["| code | what to do |", "| --- | --- |"]
    for member in ("StateChangeReason", "ImageBuilderErrors"):
        lines += [f"| `{code}` | {each['Advice']} [AWS]({each['Source']}) |" for code, each in advice[member].items()]
    return "\n".join(lines)


WRITTEN: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    DOCS / "deploy.md": {"settings": reference, "cost": run_cost.table, "month": run_cost.month},
    DOCS / "compliance.md": {"verdicts": compliance.verdicts, "acknowledged": compliance.acknowledged},
    DOCS / "start.md": {"schedules": partial(reference, Schedule), "triggers": partial(reference, Trigger)},
    PERFORMANCE: {"poll interval": poll_interval.table},
    DOCS / "reference.md": SAMPLES,
    DOCS / "runbook.md": {"codes": codes},
}
"""By page and the name of the comments between which the text stands."""

MEASURED: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    PERFORMANCE: {
        "fleet": fleet_load.tables,
        "cold start": cold_start.cold_start,
        "memory": cold_start.memory,
        "developer": developer_loop.table,
    }
}


def write(page: Path, name: str, text: str) -> str:
    """A page with this text between the comments of this name."""
    before, begin, rest = page.read_text("utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not end:
        raise ValueError(f"{page}: must have the comments <!-- {name} --> and <!-- /{name} -->")
    return f"{before}{begin}{text}\n{end}{after}"


def main() -> None:
    """Write the texts and the diagrams; or measure, which takes minutes, and write each table as soon as it exists."""
    measuring = "--measure" in sys.argv[1:]
    logging.disable(logging.CRITICAL)
    for page, parts in (MEASURED if measuring else WRITTEN).items():
        for name, part in parts.items():
            page.write_text(write(page, name, part()), "utf-8")
    if not measuring:
        SCHEMA.write_text(json.dumps(schema(), indent=2) + "\n", "utf-8")
        diagram.main()
        demo_picture.main()
        poll_interval.draw()
        demo_picture.main()


if __name__ == "__main__":
    main()
