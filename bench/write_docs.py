"""`make docs`: write what the documentation takes from the code. A test checks that it is current.

With `--measure`, `make bench`: measure the rest again.
"""

import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path

from bench import cold_start, poll_interval, run_cost, table
from bench.developer_loop import developer_loop
from bench.fleet_load import fleets
from bench.samples import SAMPLES, live_view
from cli import diagram
from infra.config.event_patterns import Trigger
from infra.config.schedules import Schedule
from infra.config.settings import reference, schema
from tests.infra.conftest import PLUGINS, STRICT, Assembly, build

PROJECT = Path(__file__).parent.parent
DOCS = PROJECT / "docs"
ADVICE = PROJECT / "lambdas" / "image_builder" / "advice.json"


def codes() -> str:
    """The table of the codes that AppStream reports of an image builder, with the advice for each."""
    advice = json.loads(ADVICE.read_text("utf-8"))
    reported = {**advice["StateChangeReason"], **advice["ImageBuilderErrors"]}
    rows = ((f"`{code}`", f"{each['Advice']} [AWS]({each['Source']})") for code, each in reported.items())
    return table("code", "what to do", rows=rows)


def acknowledged() -> str:
    """The table of what is acknowledged of the packs that run at each synth, with the number of resources."""
    with tempfile.TemporaryDirectory() as directory:
        build(Path(directory), STRICT, lambda app: [plugin(app) for plugin in PLUGINS]).synth()
        reports = Assembly(Path(directory)).reports.values()
    counts: Counter[tuple[str, str]] = Counter()
    for each in (each for report in reports for each in report.get("suppressedViolations", [])):
        counts[each["ruleName"].partition("[")[0], each["reason"]] += len(each["violatingConstructs"])
    return table(
        "rule", "resources:", "reason", rows=((rule, n, reason) for (rule, reason), n in sorted(counts.items()))
    )


Text = Callable[[], str]

FILES: Mapping[Path, Text] = {
    DOCS / "settings.schema.json": lambda: json.dumps(schema(), indent=2) + "\n",
    DOCS / "demo.svg": live_view,
    DOCS / "poll_interval.svg": poll_interval.diagram,
}
PARTS: Mapping[Path, Mapping[str, Text]] = {
    DOCS / "deploy.md": {"settings": reference, "cost": run_cost.runs, "month": run_cost.month},
    DOCS / "compliance.md": {"acknowledged": acknowledged},
    DOCS / "start.md": {"schedules": partial(reference, Schedule), "triggers": partial(reference, Trigger)},
    DOCS / "performance.md": {"poll interval": poll_interval.intervals},
    DOCS / "reference.md": SAMPLES,
    DOCS / "runbook.md": {"codes": codes},
}
"""By page and the name of the comments between which the text stands."""

MEASURED: Mapping[Path, Mapping[str, Text]] = {
    DOCS / "performance.md": {
        "fleet": fleets,
        "cold start": cold_start.cold_start,
        "developer": developer_loop,
    }
}


def with_part(page: Path, name: str, text: str) -> str:
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
    with redirect_stdout(StringIO()):  # the functions' metrics
        for page, parts in (MEASURED if measuring else PARTS).items():
            for name, part in parts.items():
                page.write_text(with_part(page, name, part()), "utf-8")
        for file, text in {} if measuring else FILES.items():
            file.write_text(text(), "utf-8")
    if not measuring:
        diagram.main()


if __name__ == "__main__":
    main()
