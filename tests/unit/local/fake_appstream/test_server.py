"""boto3 and the control interface against the fake over HTTP, and the command that serves it."""

import http.client
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.__main__ import main
from local.fake_appstream.control import Control
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.server import Server
from local.fake_appstream.validation import Refused
from tests.unit.local.fake_appstream.conftest import ClientMaker


def test_exactly_one_of_fifty_simultaneous_starts_is_effective(
    server: Server, control: Control, make_client: ClientMaker
) -> None:
    control.put_builder("b")
    client = make_client(server.url, max_pool_connections=50)

    def start(_: int) -> str:
        try:
            client.start_image_builder(Name="b")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(50) as pool:
        outcomes = sorted(pool.map(start, range(50)))
    assert outcomes == ["OperationNotPermittedException"] * 49 + ["ok"]
    assert sum(call["effective"] for call in control.calls()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection_is_closed_without_an_answer(
    server: Server, control: Control, make_client: ClientMaker, when: str
) -> None:
    control.put_builder("b")
    control.add_fault(operation="StartImageBuilder", drop=when, times=1)
    client = make_client(server.url)
    with pytest.raises(ConnectionClosedError):
        client.start_image_builder(Name="b")
    assert control.builder("b")["State"] == ("PENDING" if when == "after" else "STOPPED")
    assert client.describe_image_builders()["ImageBuilders"]


def test_a_delayed_answer_comes_too_late_for_a_client_that_does_not_wait(
    server: Server, control: Control, make_client: ClientMaker
) -> None:
    control.put_builder("b")
    control.add_fault(delay=0.3, times=1)
    with pytest.raises(ReadTimeoutError):
        make_client(server.url, read_timeout=0.05).start_image_builder(Name="b")
    assert control.calls()[0]["effective"]


def test_the_control_interface_does_what_the_fake_does(control: Control, fake: FakeAppStream) -> None:
    put = control.put_builder("b", state="REBOOTING", members={"Description": "d"}, tags={"k": "v"})
    assert put == fake.builder("b") == control.builder("b")
    with pytest.raises(Refused, match="name: must be that of an image builder, not 'a'"):
        control.builder("a")
    with pytest.raises(Refused, match="put_builder: got an unexpected keyword argument 'colour'; it has name, state"):
        control.put_builder("b", colour="red")
    control.add_fault(error={"code": "InternalFailure"})
    fake.reply("DescribeImageBuilders", {})
    assert [call["outcome"] for call in control.calls()] == ["InternalFailure"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/_fake/clock", b"", 200, '"now": 1769896800.0'),
        ("/_fake/add_fault", b"{", 400, "Expecting property name"),
        ("/_fake/put_builder", b"[]", 400, "put_builder: must be an object"),
        ("/_fake/weather", b"", 400, "action: must be one of put_builder, builder, add_fault, calls, clock"),
        ("/", b"{}", 400, "UnknownOperationException"),
        ("/", b"\xff", 400, "SerializationException"),
    ],
)
def test_a_request_is_answered_with_what_is_wrong(
    server: Server, path: str, body: bytes, status: int, message: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        target = "Another.StartImageBuilder" if body == b"{}" else "PhotonAdminProxyService.StartImageBuilder"
        connection.request("POST", path, body, {"X-Amz-Target": target})
        response = connection.getresponse()
        assert (response.status, message in response.read().decode()) == (status, True)
    finally:
        connection.close()


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, None])
def test_the_command_serves_until_a_signal_or_the_end_of_its_input(end: signal.Signals | None) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "local.fake_appstream", "--time-scale", "0.01", "--stop-with-stdin"],
        cwd=Path(__file__).parents[4],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    ) as process:
        try:
            assert process.stdout
            assert process.stdin
            url = process.stdout.readline().split()[-1]
            assert url.startswith("http://127.0.0.1:")
            assert Control(url).put_builder("b")["State"] == "STOPPED"
            if end:
                process.send_signal(end)
            else:
                process.stdin.close()
            assert process.wait(10) == (-signal.SIGTERM if end == signal.SIGTERM else 0)
        finally:
            process.kill()


def test_the_command_refuses_a_scale_that_is_not_positive(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--time-scale", "0"])
    assert "argument --time-scale" in capsys.readouterr().err
