import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]
TOOLS = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
"""A search path with this environment's tools first: its Node, not the machine's, runs the CDK."""


@dataclass(frozen=True)
class Assembly:
    """A synthesized cloud assembly."""

    directory: Path

    @property
    def template(self) -> dict[str, Any]:
        (path,) = self.directory.glob("*.template.json")
        template: dict[str, Any] = json.loads(path.read_text())
        return template

    @property
    def asset(self) -> Path:
        """The directory of the functions' code."""
        (path,) = self.directory.glob("asset.*")
        return path

    def resources(self, kind: str) -> dict[str, dict[str, Any]]:
        return {key: value for key, value in self.template["Resources"].items() if value["Type"] == kind}


def synthesize(directory: Path, **settings: object) -> Assembly:
    """Run app.py as the CDK CLI does, with these settings, in an environment that has no AWS setting in it."""
    context = json.loads((PROJECT / "cdk.json").read_text())["context"]
    context["settings"] = {"stackName": "StartImageBuilder", **settings}
    subprocess.run(
        [sys.executable, "-W", "error", "app.py"],
        cwd=PROJECT,
        env={
            "PATH": TOOLS,
            "HOME": os.environ.get("HOME", ""),
            "CDK_OUTDIR": str(directory),
            "CDK_CONTEXT_JSON": json.dumps(context),
            **{key: value for key, value in os.environ.items() if key.startswith(("PIP_", "JSII_"))},
        },
        check=True,
        capture_output=True,
        text=True,
    )
    return Assembly(directory)


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesize(tmp_path_factory.mktemp("assembly") / "cdk.out")
