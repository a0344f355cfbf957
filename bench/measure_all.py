"""`make bench`: measures, and writes the tables and plots of docs/performance.md and docs/scale.md."""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

from bench import cold_start, developer_loop, fleet_load, memory, poll_interval
from bench.write_docs import DOCS, with_tables

MEASURED: Mapping[Path, Mapping[str, Callable[[], str]]] = {
    DOCS / "performance.md": {
        "cold start": cold_start.table,
        "memory": memory.table,
        "developer": developer_loop.table,
    },
    DOCS / "scale.md": {"fleet": fleet_load.tables},
}
"""By page and the name of the comments that the table stands between. `make docs` writes what needs no measuring."""


def main() -> None:
    """Measure and write."""
    logging.disable(logging.CRITICAL)
    poll_interval.draw()
    for page, tables in MEASURED.items():
        for name, table in tables.items():
            # Each as soon as it is there: they take minutes.
            page.write_text(with_tables(page, {name: table}), "utf-8")


if __name__ == "__main__":
    main()
