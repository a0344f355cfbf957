"""`make docs`: writes what the documentation takes from the code. Tests hold that it is up to date."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import poll_interval, run_cost, runbook_page
from cli import diagram
from infra.config import settings as config

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = DOCS / "settings.schema.json"

TABLES: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    DOCS / "deploy.md": {"configuration": config.reference, "cost": run_cost.table},
    DOCS / "performance.md": {"looks": poll_interval.table},
}
"""By page and the name of the comments that the table stands between."""


def with_tables(page: Path, tables: Mapping[str, Callable[[], str]]) -> str:
    """A page with these tables as the code gives them now."""
    text = page.read_text("utf-8")
    for name, table in tables.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}{table()}\n{end}{after}"
    return text


def main() -> None:
    """Write the runbook, the tables and the diagrams."""
    runbook_page.PAGE.write_text(runbook_page.page(), "utf-8")
    for page, tables in TABLES.items():
        page.write_text(with_tables(page, tables), "utf-8")
    SCHEMA.write_text(json.dumps(config.schema(), indent=2) + "\n", "utf-8")
    diagram.main()


if __name__ == "__main__":
    main()
