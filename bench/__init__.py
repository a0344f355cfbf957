"""The measurements and samples behind the documentation, taken from the project's own code."""

from collections.abc import Iterable


def table(*columns: str, rows: Iterable[Iterable[object]]) -> str:
    """A table. A column whose name ends with a colon is aligned right."""
    names = [column.rstrip(":") for column in columns]
    rules = ["---:" if column.endswith(":") else "---" for column in columns]
    return "\n".join(f"| {' | '.join(map(str, row))} |" for row in (names, rules, *rows))
