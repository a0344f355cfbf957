"""The local emulator of AWS: MiniStack and the fake of AppStream on 127.0.0.1, and the CDK against them."""

import os
import subprocess  # nosec B404 # its constants
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from local.fake_appstream.control import Control
from local.loopback import OPENER, free_port
from local.processes import ending_all_on_interrupt, resident_bytes, running

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

PROJECT = Path(__file__).parent.parent
MINISTACK_PYTHON = PROJECT / ".venv-ministack" / "bin" / "python"
ACCOUNT = "000000000000"
REGION = "us-east-1"
STARTUP_SECONDS = 60
SETTINGS = ("-c", 'settings={"stackName": "StartImageBuilder"}')
"""Of a new checkout. settings.json is what the user has for AWS: buses and keys that are not here, and schedules."""
CREDENTIALS = ("test", "secret-of-the-emulator")
"""Of no account: the functions hold them as the secret that nothing may show. A test searches for it."""


class EmulatorError(Exception):
    """The emulator could not be started, or not be deployed to. The message says why."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator.

    Attributes:
        endpoint_url: of MiniStack, for every service but AppStream.
        appstream: control of the fake of AppStream.
        time_scale: real seconds that a simulated second lasts, for the workflow's waits and the image builders alike.
        directory: of the files of this run; deleted at its end.
        pids: of the servers.
    """

    endpoint_url: str
    appstream: Control
    time_scale: float
    directory: Path
    pids: tuple[int, ...]

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which an AWS tool reaches this emulator, and nothing else."""
        return _environment(self.directory, self.endpoint_url, self.appstream.url)

    def client(self, service: str) -> Any:
        """A boto3 client of one of the emulator's services; AppStream's reaches the fake."""
        session = boto3.Session(*CREDENTIALS, region_name=REGION)
        endpoint_url = self.appstream.url if service == "appstream" else self.endpoint_url
        # Loopback is never behind a proxy, whatever the environment says.
        return session.client(service, endpoint_url=endpoint_url, config=Config(proxies={}, max_pool_connections=64))  # type: ignore[call-overload]  # by name

    def deploy(self, output: IO[str], *context: str) -> None:
        """Bootstrap and deploy, with the CDK CLI, the template as it is.

        Args:
            output: a text file that takes what the CDK prints.
            context: options of `cdk synth`, such as "-c", 'settings={"stackName": "Second"}'.

        Raises:
            EmulatorError: the CDK failed; its output says why.
        """
        assembly = str(self.directory / "cdk.out")
        # In parallel: neither needs the other. Bootstrap runs where there is no cdk.json, or it would synthesize too.
        with (
            self._cdk(output, PROJECT, "synth", "--quiet", "--output", assembly, *SETTINGS, *context) as synth,
            self._cdk(output, self.directory, "bootstrap", f"aws://{ACCOUNT}/{REGION}") as bootstrap,
        ):
            _must_succeed(bootstrap, "cdk bootstrap")
            _must_succeed(synth, "cdk synth")
        with self._cdk(output, PROJECT, "deploy", "--all", "--app", assembly, "--require-approval", "never") as deploy:
            _must_succeed(deploy, "cdk deploy")

    def _cdk(
        self, output: IO[str], directory: Path, *arguments: str
    ) -> AbstractContextManager[subprocess.Popen[bytes]]:
        cdk = str(PROJECT / "node_modules" / ".bin" / "cdk")
        return running(
            [cdk, *arguments, "--no-notices", "--ci", "--no-color"],
            directory=directory,
            environment=self.environment,
            output=output,
            stdin=subprocess.DEVNULL,
        )

    def outputs(self, stack_name: str) -> dict[str, str]:
        """The outputs of a deployed stack, by name."""
        cloudformation: CloudFormationClient = self.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def resident_bytes(self) -> int:
        """Memory that the servers and their function workers hold now."""
        return sum(map(resident_bytes, self.pids))


@contextmanager
def running_emulator(*, time_scale: float) -> Iterator[Emulator]:
    """Start the emulator, and end everything that it started at the end of the block.

    Raises:
        EmulatorError: a server did not start.
    """
    if not MINISTACK_PYTHON.exists():
        raise EmulatorError("MiniStack is not installed in .venv-ministack: run `make setup` first")
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="start-image-builder-")))
        stack.enter_context(ending_all_on_interrupt())
        (directory / "tmp").mkdir()
        appstream_port, port = free_port(), free_port()
        appstream_url, endpoint_url = f"http://127.0.0.1:{appstream_port}", f"http://127.0.0.1:{port}"
        environment = _environment(directory, endpoint_url, appstream_url)
        options = ["--port", str(appstream_port), "--time-scale", str(time_scale), "--stop-with-stdin"]
        fake = stack.enter_context(
            _server(
                [sys.executable, "-m", "local.fake_appstream", *options],
                log=directory / "appstream.log",
                environment=environment,
                health=f"{appstream_url}/_fake/clock",
            )
        )
        ministack = stack.enter_context(
            _server(
                [str(MINISTACK_PYTHON), str(PROJECT / "local" / "ministack_launcher.py")],
                log=directory / "ministack.log",
                # Functions inherit it, so that the template is the one that AWS gets.
                environment={
                    **environment,
                    # By default it binds to every interface.
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(port),
                    "STATE_DIR": str(directory / "state"),
                    "S3_DATA_DIR": str(directory / "s3"),
                    "SFN_WAIT_SCALE": str(time_scale),
                    "LAMBDA_EXECUTOR": "local",
                },
                health=f"{endpoint_url}/_ministack/health",
            )
        )
        yield Emulator(endpoint_url, Control(appstream_url), time_scale, directory, (fake.pid, ministack.pid))


def _must_succeed(process: subprocess.Popen[bytes], name: str) -> None:
    if process.wait():
        raise EmulatorError(f"{name} failed")


@contextmanager
def _server(
    command: list[str], *, log: Path, environment: Mapping[str, str], health: str
) -> Iterator[subprocess.Popen[bytes]]:
    with (
        log.open("wb") as output,
        # The pipe to its standard input closes when this process ends, even when it is killed: the server ends with it.
        running(command, directory=PROJECT, environment=environment, output=output, stdin=subprocess.PIPE) as process,
    ):
        _wait_until_healthy(process, health, log)
        yield process


def _wait_until_healthy(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with OPENER.open(health, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    happened = "did not answer" if process.poll() is None else "ended while it started"
    end = "\n".join(log.read_text("utf-8", "replace").splitlines()[-5:])
    raise EmulatorError(f"{log.stem} {happened}; its log ends with:\n{end}")


def _environment(directory: Path, endpoint_url: str, appstream_url: str) -> dict[str, str]:
    """This process's environment, with this project's tools and without settings for AWS, the CDK and Powertools."""
    tools = (PROJECT / ".venv" / "bin", PROJECT / "node_modules" / ".bin")
    own = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CDK_", "POWERTOOLS_"))}
    return own | {
        "PATH": os.pathsep.join([*map(str, tools), os.environ.get("PATH", "")]),
        "TMPDIR": str(directory / "tmp"),
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ENDPOINT_URL_S3": endpoint_url,
        "AWS_ENDPOINT_URL_APPSTREAM": appstream_url,
        "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API": appstream_url,
        "AWS_ACCESS_KEY_ID": CREDENTIALS[0],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS[1],
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # No proxy can reach this machine's loopback.
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION": "1",
    }
