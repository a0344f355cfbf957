"""The local emulator of AWS: MiniStack and the fake of AppStream on 127.0.0.1, and the CDK against them."""

import json
import os
import socket
import subprocess  # nosec B404 # its constants
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any
from uuid import uuid4

import boto3
from botocore.config import Config

from local.fake_appstream.clock import ScaledClock
from local.fake_appstream.control import Control
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.server import serving
from local.processes import ending_children

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
    """

    endpoint_url: str
    appstream: Control
    time_scale: float
    directory: Path

    @property
    def environment(self) -> dict[str, str]:
        """This process's, with this project's tools, in which an AWS tool reaches this emulator and nothing else."""
        tools = (PROJECT / ".venv" / "bin", PROJECT / "node_modules" / ".bin")
        own = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "CDK_", "POWERTOOLS_"))}
        return own | {
            "PATH": os.pathsep.join([*map(str, tools), os.environ.get("PATH", "")]),
            "TMPDIR": str(self.directory / "tmp"),
            "AWS_ENDPOINT_URL": self.endpoint_url,
            "AWS_ENDPOINT_URL_S3": self.endpoint_url,
            "AWS_ENDPOINT_URL_APPSTREAM": self.appstream.url,
            "AWS_ENDPOINT_URL_RESOURCE_GROUPS_TAGGING_API": self.appstream.url,
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

    def client(self, service: str) -> Any:
        """A boto3 client of one of the emulator's services; AppStream's reaches the fake."""
        session = boto3.Session(*CREDENTIALS, region_name=REGION)
        endpoint_url = self.appstream.url if service == "appstream" else self.endpoint_url
        # Loopback is never behind a proxy, whatever the environment says.
        return session.client(service, endpoint_url=endpoint_url, config=Config(proxies={}, max_pool_connections=64))  # type: ignore[call-overload]  # by name

    def deploy(self, *context: str) -> None:
        """Bootstrap and deploy, with the CDK CLI, the template as it is.

        Args:
            context: options of `cdk synth`, such as "-c", 'settings={"stackName": "Second"}'.

        Raises:
            EmulatorError: the CDK failed; the message has the end of what it printed.
        """
        log, assembly = self.directory / "cdk.log", str(self.directory / "cdk.out")
        with log.open("w") as output:
            # In parallel: neither needs the other. Bootstrap runs where there is no cdk.json, or it would synthesize.
            synth = self._cdk(output, PROJECT, "synth", "--quiet", "--output", assembly, *SETTINGS, *context)
            bootstrap = self._cdk(output, self.directory, "bootstrap", f"aws://{ACCOUNT}/{REGION}")
            failed = any([synth.wait(), bootstrap.wait()])
            deploy = ("deploy", "--all", "--app", assembly, "--require-approval", "never")
            if failed or self._cdk(output, PROJECT, *deploy).wait():
                raise EmulatorError(f"The CDK failed; its log ends with:\n{log.read_text()[-2000:]}")

    def _cdk(self, output: IO[str], directory: Path, *arguments: str) -> subprocess.Popen[bytes]:
        cdk = PROJECT / "node_modules" / ".bin" / "cdk"
        return _start([cdk, *arguments, "--no-notices", "--ci", "--no-color"], directory, self.environment, output)

    def outputs(self, stack_name: str) -> dict[str, str]:
        """The outputs of a deployed stack, by name."""
        cloudformation: CloudFormationClient = self.client("cloudformation")
        (stack,) = cloudformation.describe_stacks(StackName=stack_name)["Stacks"]
        return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}

    def new_queue(self) -> tuple[str, str]:
        """A new queue: its URL and its ARN."""
        sqs = self.client("sqs")
        url = sqs.create_queue(QueueName=uuid4().hex)["QueueUrl"]
        return url, sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def subscribe_queue(self, topic: str) -> str:
        """The URL of a new queue that takes the messages of a topic."""
        url, arn = self.new_queue()
        self.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        return url

    def received(self, queue: str) -> list[dict[str, Any]]:
        """What a queue has, as JSON; it is empty after that."""
        sqs = self.client("sqs")
        found: list[dict[str, Any]] = []
        while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            for message in messages:
                found.append(json.loads(message["Body"]))
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@contextmanager
def running_emulator(*, time_scale: float) -> Iterator[Emulator]:
    """Start the emulator, and end everything that it started at the end of the block.

    Raises:
        EmulatorError: MiniStack did not start.
    """
    with (
        tempfile.TemporaryDirectory(prefix="start-image-builder-") as temporary,
        serving(FakeAppStream(ScaledClock(time_scale))) as appstream_url,
        ending_children() as started,
    ):
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        emulator = Emulator(f"http://127.0.0.1:{port}", Control(appstream_url), time_scale, Path(temporary))
        (emulator.directory / "tmp").mkdir()
        # Functions inherit it, so that the template is the one that AWS gets.
        environment = emulator.environment | {
            # By default it binds to every interface.
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "STATE_DIR": f"{temporary}/state",
            "S3_DATA_DIR": f"{temporary}/s3",
            "SFN_WAIT_SCALE": str(time_scale),
            "LAMBDA_EXECUTOR": "local",
        }
        command, log = [MINISTACK_PYTHON, PROJECT / "local" / "ministack_launcher.py"], emulator.directory / "log"
        with log.open("w") as output:
            # The pipe to its input closes when this process ends, even when it is killed: MiniStack ends with it.
            started.append(_start(command, PROJECT, environment, output, stdin=subprocess.PIPE))
        _wait_until_healthy(started[0], port, log)
        yield emulator


def _start(
    command: Sequence[str | Path],
    directory: Path,
    environment: Mapping[str, str],
    output: IO[str],
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # nosec B603 # the commands of this module
        command,
        cwd=directory,
        env=environment,
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT,
        # The terminal's Ctrl-C does not reach it: it is ended with what it started.
        start_new_session=True,
    )


def _wait_until_healthy(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + STARTUP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        # Not by urllib, which would ask the proxies of the environment.
        with closing(HTTPConnection("127.0.0.1", port, timeout=5)) as connection, suppress(OSError):
            connection.request("GET", "/_ministack/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    happened = "did not answer" if process.poll() is None else "ended while it started"
    raise EmulatorError(f"MiniStack {happened}; its log ends with:\n{log.read_text('utf-8', 'replace')[-500:]}")
