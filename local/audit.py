"""`python -m local.audit`: look every locked requirement up in the advisory database of the Python Package Index.

Exit status 1 when one has a known vulnerability. Where no advisory source answers, as behind a mirror that serves files
only, it says so and gives 0: a check that cannot be made must not stop a build, nor pass for one that was made.
"""

import json
import subprocess  # nosec B404 # runs pip-audit
import sys
from pathlib import Path
from typing import Any

LOCKS = ("requirements.txt", "requirements-dev.txt", "lambdas/requirements.txt", "local/requirements.txt")


def main() -> int:
    """Returns: the exit status."""
    vulnerable = 0
    for lock in LOCKS:
        dependencies = _audit(lock)
        found = [dependency for dependency in dependencies if dependency.get("vulns")]
        looked_up = [dependency for dependency in dependencies if "skip_reason" not in dependency]
        for dependency in found:
            advisories = ", ".join(vulnerability["id"] for vulnerability in dependency["vulns"])
            print(f"{lock}: {dependency['name']} {dependency['version']} has {advisories}")
        if not looked_up:
            print(f"{lock}: not audited, as no advisory source is reachable from here")
        elif not found:
            print(f"{lock}: {len(looked_up)} of {len(dependencies)} looked up, no known vulnerability")
        vulnerable += len(found)
    return 1 if vulnerable else 0


def _audit(lock: str) -> list[dict[str, Any]]:
    """What pip-audit says of every dependency of a lock; nothing when it could not ask."""
    pip_audit = Path(sys.executable).with_name("pip-audit")
    options = ["--disable-pip", "--require-hashes", "--format", "json", "--progress-spinner", "off"]
    run = subprocess.run(  # nosec B603 # fixed arguments
        [str(pip_audit), "--requirement", lock, *options], capture_output=True, text=True, check=False
    )
    try:
        dependencies: list[dict[str, Any]] = json.loads(run.stdout)["dependencies"]
    except (ValueError, KeyError):
        return []
    return dependencies


if __name__ == "__main__":
    sys.exit(main())
