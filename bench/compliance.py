"""What is acknowledged of cdk-nag's findings: a table of docs/compliance.md."""

import tempfile
from collections import Counter
from pathlib import Path

from bench.markdown import table
from tests.infra.conftest import PLUGINS, STRICT, Assembly, build


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
