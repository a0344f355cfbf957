"""What security rules find in the template, with a verdict each: the tables of docs/compliance.md.

Tests compare the verdicts with what the rule packs of cdk-nag and checkov find. Checkov has an environment of its own,
because it pins an old boto3.
"""

import json
import subprocess  # nosec B404 # runs checkov
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from cdk_nag import HIPAASecurityChecks, NIST80053R5Checks, PCIDSS321Checks

from tests.infra.conftest import PLUGINS, STRICT, Assembly, build

CHECKOV = Path(__file__).parent.parent / ".venv-checkov" / "bin" / "checkov"
NAG_PACKS = (NIST80053R5Checks, HIPAASecurityChecks, PCIDSS321Checks)

ACCEPTED = "accepted"
FIXED = "fixed by the setting `encryptionKey`"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of rules about one thing.

    Attributes:
        rules: of cdk-nag, without the name of the pack, and of checkov (CKV_...).
        finding: what they find.
        verdict: ACCEPTED, or FIXED.
        reason: for it.
    """

    rules: tuple[str, ...]
    finding: str
    verdict: str
    reason: str


VERDICTS = (
    Verdict(
        ("CloudWatchLogGroupEncrypted", "CKV_AWS_158", "CKV_AWS_27"),
        "Log groups and queues are encrypted with keys that AWS owns",
        FIXED,
        "A key of your own is one more thing that can stop logs and dead letters: you choose.",
    ),
    Verdict(
        ("IAMNoInlinePolicy",),
        "Roles have inline policies",
        ACCEPTED,
        "What a role may do stands beside it in the template, and is deleted with it. No policy could be shared: no "
        "two roles may do the same.",
    ),
    Verdict(
        ("LambdaConcurrency", "CKV_AWS_115"),
        "Functions have no reserved concurrency",
        ACCEPTED,
        "A reservation takes from the account's pool, and throttles at its own limit. The workflows bound how many "
        "functions run at once, and the alarm FunctionThrottles reports when the account's pool is used up.",
    ),
    Verdict(
        ("LambdaDLQ", "CKV_AWS_116"),
        "Functions have no dead-letter queue",
        ACCEPTED,
        "Step Functions invokes them synchronously and handles their errors. NotifyOperators, which events invoke as "
        "well, has an on-failure destination, which keeps the error beside the event.",
    ),
    Verdict(
        ("LambdaInsideVPC", "CKV_AWS_117"),
        "Functions are not in a VPC",
        ACCEPTED,
        "They call AWS APIs over TLS, and take no connections. In a VPC they would need a NAT gateway or an endpoint "
        "for each service, and a subnet without free addresses would stop every start.",
    ),
    Verdict(
        ("CKV_AWS_173",),
        "The functions' environment variables are encrypted with a key that Lambda owns",
        ACCEPTED,
        "They hold no secrets: the ARN of the topic, the address of the runbook, and names.",
    ),
)


def expected(settings: Mapping[str, object], *, of_checkov: bool) -> set[str]:
    """The rules that have to find something in the template with these settings."""
    return {
        rule
        for verdict in VERDICTS
        for rule in verdict.rules
        if rule.startswith("CKV_") is of_checkov and not (verdict.verdict == FIXED and "encryptionKey" in settings)
    }


def nag(settings: Mapping[str, object]) -> set[str]:
    """The rules of cdk-nag's packs that find something."""
    with _synthesized(settings, NAG_PACKS) as assembly:
        found = [(pack, each) for pack, report in assembly.reports.items() for each in report.get("violations", [])]
    # Warnings of the app stand in the report as well.
    return {each["ruleName"].removeprefix(f"{pack}-") for pack, each in found if each["ruleName"].startswith(pack)}


def checkov(settings: Mapping[str, object]) -> set[str]:
    """The rules of checkov that find something. Makes no connection."""
    with _synthesized(settings, ()) as assembly:
        run = subprocess.run(  # nosec B603 # fixed arguments
            [
                *(str(CHECKOV), "--framework=cloudformation", "--output=json", "--quiet", "--compact"),
                *("--skip-download", "--file", str(assembly.template_file)),
            ],
            stdout=subprocess.PIPE,
            check=False,
        )
    return {check["check_id"] for check in json.loads(run.stdout)["results"]["failed_checks"]}


def verdicts() -> str:
    """The verdicts: a table in Markdown."""
    rows = (f"| {', '.join(each.rules)} | {each.finding} | {each.verdict}: {each.reason} |" for each in VERDICTS)
    return "\n".join(["| rules | finding | verdict |", "| --- | --- | --- |", *rows])


def acknowledged() -> str:
    """What is acknowledged of the packs that run at each synth, with the number of resources: a table in Markdown."""
    with _synthesized(STRICT, PLUGINS) as assembly:
        reports = assembly.reports.values()
    counts: dict[tuple[str, str], int] = {}
    for each in (each for report in reports for each in report.get("suppressedViolations", [])):
        key = (each["ruleName"].partition("[")[0], each["reason"])
        counts[key] = counts.get(key, 0) + len(each["violatingConstructs"])
    rows = (f"| {rule} | {count} | {reason} |" for (rule, reason), count in sorted(counts.items()))
    return "\n".join(["| rule | resources | reason |", "| --- | ---: | --- |", *rows])


@contextmanager
def _synthesized(settings: Mapping[str, object], plugins: tuple[type, ...]) -> Iterator[Assembly]:
    with tempfile.TemporaryDirectory() as directory:
        app = build(Path(directory), dict(settings), lambda app: [plugin(app) for plugin in plugins])
        with suppress(RuntimeError):
            # Findings fail a synth, after all is written.
            app.synth()
        yield Assembly(Path(directory))
