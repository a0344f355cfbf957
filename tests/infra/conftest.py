"""Synthesized templates: in the test's own process, except where the test is about app.py as the CDK CLI runs it."""

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import IPolicyValidationPlugin
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.config.settings import Settings
from infra.stack import StartImageBuilderStack

PROJECT = Path(__file__).parents[2]
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
"""A search path with this environment's tools first: its Node, not the machine's, runs the CDK."""

FLAGS: dict[str, Any] = json.loads((PROJECT / "cdk.json").read_text())["context"]
WITHOUT_BUNDLING: dict[str, Any] = {"aws:cdk:bundling-stacks": []}
"""The functions' code, on which no template depends, is not bundled."""

NAME = {"stackName": "StartImageBuilder"}
THROUGH_THE_ALIAS = {"ForAnyValue:StringEquals": {"states:StateMachineQualifier": ["live"]}}
PLUGINS = (AwsSolutionsChecks, ServerlessChecks)


@dataclass(frozen=True)
class Assembly:
    """A synthesized cloud assembly."""

    directory: Path

    @property
    def template_file(self) -> Path:
        (path,) = self.directory.glob("*.template.json")
        return path

    @cached_property
    def template(self) -> dict[str, Any]:
        template: dict[str, Any] = json.loads(self.template_file.read_text())
        return template

    @property
    def asset(self) -> Path:
        """The directory of the functions' code."""
        (path,) = self.directory.glob("asset.*")
        return path

    @cached_property
    def reports(self) -> dict[str, dict[str, Any]]:
        """What each validator says, by its name."""
        report = json.loads((self.directory / "validation-report.json").read_text())
        return {each["pluginName"]: each for each in report["pluginReports"]}

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        return {key: value for key, value in self.template["Resources"].items() if value["Type"] == kind}

    def properties(self, kind: str) -> list[dict[str, Any]]:
        return [resource.get("Properties", {}) for resource in self.resources(kind).values()]

    def statements(self, role: str = "") -> list[dict[str, Any]]:
        """The statements of the policies of roles whose logical id begins so."""
        return [
            statement
            for policy in self.properties("AWS::IAM::Policy")
            if any(each["Ref"].startswith(role) for each in policy["Roles"])
            for statement in policy["PolicyDocument"]["Statement"]
        ]


Synthesize = Callable[..., Assembly]


def listed(value: Any) -> list[Any]:
    """The value as a list: IAM takes one or several of most things."""
    return value if isinstance(value, list) else [value]


def refers_to(value: Any) -> str:
    """The logical id that a Ref or a GetAtt of the ARN names."""
    return str(value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0])


def build(
    directory: Path, settings: dict[str, object], plugins: Callable[[cdk.App], list[IPolicyValidationPlugin]]
) -> cdk.App:
    """The app with these settings."""
    app = cdk.App(context={**FLAGS, **WITHOUT_BUNDLING}, outdir=str(directory))
    StartImageBuilderStack(app, "StartImageBuilder", settings=Settings.load(NAME | settings))
    cdk.Validations.of(app).add_plugins(*plugins(app))
    return app


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesize with settings, once in all workers for the same ones. A finding of a validator fails it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent

    def assembly(**settings: object) -> Assembly:
        directory = shared / f"assembly-{sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]}"
        with directory.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (directory / "manifest.json").exists():
                build(directory, settings, lambda app: [plugin(app) for plugin in PLUGINS]).synth()
        return Assembly(directory)

    return assembly


@pytest.fixture(scope="session")
def assembly(synthesize: Synthesize) -> Assembly:
    """With the settings that a new checkout has."""
    return synthesize()


STRICT: dict[str, Any] = json.loads((PROJECT / "tests" / "infra" / "strict.settings.json").read_text("utf-8"))
"""Every setting that security teams ask for, and something of everything else that can be configured."""


@pytest.fixture(scope="session")
def strict(synthesize: Synthesize) -> Assembly:
    return synthesize(**STRICT)


def run_app(directory: Path, *, bundle: bool = True, **settings: object) -> Assembly:
    """Run app.py as the CDK CLI does, with these settings, in an environment that has no AWS setting in it.

    Raises:
        CalledProcessError: it failed; `stderr` says why.
    """
    directory.mkdir(exist_ok=True)
    file = directory / "settings.json"
    # In a file: the environment has no room for a megabyte.
    file.write_text(json.dumps(NAME | settings), "utf-8")
    context = {**FLAGS, "settings": str(file), **({} if bundle else WITHOUT_BUNDLING)}
    subprocess.run(
        [sys.executable, "-W", "error", "app.py"],
        cwd=PROJECT,
        env={
            "PATH": TOOLS,
            "HOME": os.environ.get("HOME", ""),
            "CDK_OUTDIR": str(directory / "cdk.out"),
            "CDK_CONTEXT_JSON": json.dumps(context),
            **{key: value for key, value in os.environ.items() if key.startswith(("PIP_", "JSII_"))},
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return Assembly(directory / "cdk.out")
