"""Every rule of the security packs that finds something has a verdict in docs/compliance.md."""

import json
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from cdk_nag import HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks

from tests.infra.conftest import PROJECT, STRICT, Assembly, Synthesize, build

pytestmark = pytest.mark.xdist_group("permissions")

CHECKOV = PROJECT / ".venv-checkov" / "bin" / "checkov"
"""In an environment of its own, because it pins an old boto3."""

NAG_PACKS = (NIST80053R5Checks, HIPAASecurityChecks, PCIDSS321Checks)
PAGE = (PROJECT / "docs" / "compliance.md").read_text("utf-8")
VERDICTS = re.findall(
    r"^\| ([\w, ]+) \| [^|]+ \| (accepted|fixed by the setting `encryptionKey`): \w", PAGE, re.MULTILINE
)


def expected(settings: dict[str, object], *, of_checkov: bool) -> set[str]:
    """The rules that have to find something in the template with these settings."""
    rules = [rules for rules, verdict in VERDICTS if verdict == "accepted" or "encryptionKey" not in settings]
    return {rule for rule in ", ".join(rules).split(", ") if rule.startswith("CKV_") is of_checkov}


@pytest.mark.parametrize("settings", [{}, STRICT], ids=["default", "strict"])
def test_every_rule_that_finds_something_has_a_verdict_and_no_other(
    tmp_path: Path, settings: dict[str, object]
) -> None:
    app = build(tmp_path, settings, lambda app: [pack(app) for pack in NAG_PACKS])
    with suppress(RuntimeError):  # Findings fail a synth, after all is written.
        app.synth()
    found = {
        each["ruleName"].removeprefix(f"{pack}-")
        for pack, report in Assembly(tmp_path).reports.items()
        for each in report.get("violations", [])
        if each["ruleName"].startswith(pack)  # Warnings of the app stand in the report as well.
    }
    assert found == expected(settings, of_checkov=False)


@pytest.mark.full
@pytest.mark.needs("checkov")
@pytest.mark.parametrize("settings", [{}, STRICT], ids=["default", "strict"])
def test_every_rule_of_checkov_that_finds_something_has_a_verdict_and_no_other(
    synthesize: Synthesize, settings: dict[str, object]
) -> None:
    template = synthesize(**settings).template_file
    command = [str(CHECKOV), "--framework=cloudformation", "--output=json", "--quiet", "--compact", "--skip-download"]
    run = subprocess.run([*command, "--file", template], stdout=subprocess.PIPE, check=False)
    found = {check["check_id"] for check in json.loads(run.stdout)["results"]["failed_checks"]}
    assert found == expected(settings, of_checkov=True)
