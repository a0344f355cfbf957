"""The code asset that all functions share: lambdas/ and its locked requirements, put together without Docker."""

import shutil
import subprocess  # nosec B404 # runs pip
import sys
from pathlib import Path
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, ILocalBundling
from aws_cdk import aws_lambda as lambda_

LAMBDAS = Path(__file__).parent.parent / "lambdas"
PYTHON_VERSION = "3.13"
RUNTIME = lambda_.Runtime.PYTHON_3_13
ARCHITECTURE = lambda_.Architecture.ARM_64
PLATFORM = "manylinux2014_aarch64"

_BY_THE_INSTALLER = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json")
"""Files in .dist-info about the installation, not the package: they would make the hash differ between
machines. METADATA stays: vulnerability scanners such as Amazon Inspector read it."""

_NOT_USED = ("bin", "aws_lambda_powertools/event_handler")
"""The second is half of Powertools: routers for HTTP APIs, with a web page and its scripts. Nothing here imports it."""


@jsii.implements(ILocalBundling)
class PipBundling:
    """Bundles with pip for the Lambda platform, from wheels whose hashes lambdas/requirements.txt locks."""

    def try_bundle(self, output_dir: str, *_: Any, **__: Any) -> bool:
        """Fill output_dir, or raise RuntimeError: the work is never left to Docker."""
        output = Path(output_dir)
        pip = subprocess.run(  # nosec B603 # fixed arguments
            [
                *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--require-hashes", "--only-binary=:all:", "--no-compile"),
                *("--platform", PLATFORM, "--implementation", "cp", "--python-version", PYTHON_VERSION),
                *("--target", str(output), "--requirement", str(LAMBDAS / "requirements.txt")),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        if pip.returncode:
            raise RuntimeError(f"pip could not install lambdas/requirements.txt for Lambda:\n{pip.stderr.strip()}")
        for part in _NOT_USED:
            shutil.rmtree(output / part, ignore_errors=True)
        for name in _BY_THE_INSTALLER:
            for path in output.glob(f"*.dist-info/{name}"):
                path.unlink()
        ignored = shutil.ignore_patterns("__pycache__", "requirements.*")
        shutil.copytree(LAMBDAS, output / LAMBDAS.name, ignore=ignored, dirs_exist_ok=True)
        # Messages have its steps where no runbook is published.
        (output / "docs").mkdir()
        shutil.copy(LAMBDAS.parent / "docs" / "runbook.md", output / "docs")
        return True


def lambda_code() -> lambda_.Code:
    """The asset; its hash is that of its content, so a function changes only when what it runs changes."""
    return lambda_.Code.from_asset(
        str(LAMBDAS),
        asset_hash_type=AssetHashType.OUTPUT,
        bundling=BundlingOptions(image=RUNTIME.bundling_image, local=PipBundling()),
    )
