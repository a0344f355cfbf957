"""app.py as the CDK CLI runs it, in a process of its own: the asset, what stops the synth, the same result twice."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs
from cdk_nag import AwsSolutionsChecks

from infra.bundling import PipBundling
from tests.infra.conftest import STRICT, Assembly, build, run_app

pytestmark = pytest.mark.xdist_group("app")


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return run_app(tmp_path_factory.mktemp("app"))


def test_another_process_gives_the_template_that_the_tests_examine(app: Assembly, assembly: Assembly) -> None:
    def without_assets(found: Assembly) -> object:
        """The template without hashes of the functions' code, which are in the ids of their versions as well."""
        text = json.dumps(found.template)
        for name in found.resources("AWS::Lambda::Version"):
            text = text.replace(name, name[:-32])
        template = json.loads(text)
        for resource in template["Resources"].values():
            resource.get("Properties", {}).pop("Code", None)
            resource.get("Metadata", {}).pop("aws:asset:path", None)
        return template

    assert without_assets(app) == without_assets(assembly)
    assert set(app.reports) == set(assembly.reports) >= {"AwsSolutions", "Serverless"}
    assert {report["conclusion"] for report in app.reports.values()} == {"success"}


def test_the_same_source_gives_the_same_asset(app: Assembly, tmp_path: Path) -> None:
    def files(directory: Path) -> dict[str, bytes]:
        return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}

    PipBundling().try_bundle(str(tmp_path))
    assert files(tmp_path) == files(app.asset)


def test_the_asset_is_small_and_has_what_the_handlers_import_but_no_sdk(app: Assembly, tmp_path: Path) -> None:
    asset = app.asset
    assert not {"boto3", "botocore", "s3transfer", "urllib3", "bin"} & {path.name for path in asset.iterdir()}
    assert not [*asset.rglob("*.so"), *asset.rglob("__pycache__"), *asset.rglob("*requirements*")]
    package = shutil.make_archive(str(tmp_path / "package"), "zip", asset)
    assert Path(package).stat().st_size <= 2**20
    # Nothing that the handlers import was left out: of this environment they get botocore and what that needs.
    handlers = sorted(f"lambdas.{path.stem}" for path in (asset / "lambdas").glob("*.py"))
    assert "lambdas.start_image_builder" in handlers
    imports = f"import sys; sys.path.insert(0, {str(asset)!r}); import {', '.join(handlers)}; "
    where = "import aws_lambda_powertools; print(aws_lambda_powertools.__file__)"
    run = subprocess.run([sys.executable, "-c", imports + where], capture_output=True, text=True, check=True)
    assert run.stdout.startswith(str(asset))


def test_wrong_settings_stop_the_synth_with_each_key_and_its_rule(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run_app(
            tmp_path,
            subscribers=[{"protocol": "sms", "endpoint": "ops@example.com"}],
            schedules=[{"name": "night", "expression": "cron(0 22 * * * *)", "request": {"Name": "a"}}],
        )
    first, second, *_ = failed.value.stderr.split("\n- ")[1:]
    assert failed.value.stderr.startswith(f"The settings ({tmp_path / 'settings.json'}) are wrong:\n")
    assert first == "subscribers[0].protocol: must be 'email', 'https' or 'sqs', not \"sms\""
    assert second.startswith("schedules[0] (night).expression: must have '?' as day-of-month or as day-of-week")


def test_a_finding_of_cdk_nag_stops_the_synth(tmp_path: Path) -> None:
    built = build(tmp_path / "cdk.out", STRICT, lambda app: [AwsSolutionsChecks(app)])
    (stack,) = (child for child in built.node.children if isinstance(child, cdk.Stack))
    sqs.CfnQueue(stack, "WithoutEncryption")
    with pytest.raises(RuntimeError, match="AwsSolutions-SQS4"):
        built.synth()
    assert Assembly(tmp_path / "cdk.out").reports["AwsSolutions"]["conclusion"] == "failure"
