import http.client
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from local.fake_appstream.clock import ManualClock
from local.fake_appstream.control import Control
from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.server import Server
from local.fake_appstream.validation import Refused
from tests.unit.local.fake_appstream.conftest import ClientMaker


def test_exactly_one_of_fifty_simultaneous_starts_is_effective(
    server: Server, control: Control, make_client: ClientMaker
) -> None:
    control.put_builder("b")
    client = make_client("json", server.url, max_pool_connections=50)

    def start(_: int) -> str:
        try:
            client.start_image_builder(Name="b")
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return "ok"

    with ThreadPoolExecutor(50) as pool:
        outcomes = sorted(pool.map(start, range(50)))
    assert outcomes == ["OperationNotPermittedException"] * 49 + ["ok"]
    calls = control.calls()
    assert [call["sequence"] for call in calls] == list(range(1, 51))
    assert sum(call["effective"] for call in calls) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_dropped_connection_is_closed_without_an_answer(
    server: Server, control: Control, make_client: ClientMaker, when: str
) -> None:
    control.put_builder("b")
    control.add_fault(operation="StartImageBuilder", drop=when, times=1)
    client = make_client("json", server.url)
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
        make_client("json", server.url, read_timeout=0.05).start_image_builder(Name="b")
    assert control.calls()[0]["effective"]


def test_a_delayed_answer_is_as_ever(server: Server, control: Control, make_client: ClientMaker) -> None:
    control.add_fault(delay=0.01)
    assert make_client("json", server.url).describe_image_builders()["ImageBuilders"] == []


def test_the_control_interface_does_what_the_double_does(
    control: Control, double: FakeAppStream, clock: ManualClock
) -> None:
    put = control.put_builder("b", state="REBOOTING", region="eu-west-1", members={"Description": "d"}, tags={"k": "v"})
    assert put == double.builder("b", region="eu-west-1") == control.builder("b", region="eu-west-1")
    assert control.patch_builder("b", region="eu-west-1", state="STOPPED")["State"] == "STOPPED"
    control.patch_builder("b", region="eu-west-1", next_start=[["PENDING", 1], ["FAILED", None]])
    double.call("StartImageBuilder", {"Name": "b"}, "eu-west-1")
    clock.advance(1)
    assert control.builder("b", region="eu-west-1")["State"] == "FAILED"
    control.delete_builder("b", region="eu-west-1")
    with pytest.raises(Refused, match="name: must be that of an image builder in eu-west-1, not 'b'"):
        control.builder("b", region="eu-west-1")
    assert control.now() == clock.now()


def test_calls_and_rules_can_be_cleared(control: Control, double: FakeAppStream) -> None:
    control.add_fault(error={"code": "InternalFailure"})
    control.clear_faults()
    double.call("DescribeImageBuilders")
    assert [call["outcome"] for call in control.calls()] == ["ok"]
    control.clear_calls()
    assert control.calls() == []


def test_reset_forgets_all(control: Control, double: FakeAppStream) -> None:
    control.put_builder("b")
    control.add_fault(drop="before")
    control.reset()
    assert double.call("DescribeImageBuilders") == {"ImageBuilders": []}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"colour": "red"}, "body: has no 'colour'; it has durations, members, next_start, region, state, tags"),
        ({"durations": {"pending": "long"}}, "durations.pending: must be a number of at least 0, not 'long'"),
    ],
)
def test_bad_control_input_is_refused_by_field_and_rule(
    control: Control, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(Refused, match=message):
        control.put_builder("b", **settings)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("POST", "/_fake/faults", b"{", 400, "body: must be JSON"),
        ("POST", "/_fake/faults", b"\xff", 400, "body: must be JSON"),
        ("PUT", "/_fake/builders/b", b"[]", 400, "body: must be an object"),
        ("GET", "/_fake/weather", b"", 404, "GET /_fake/weather: is not one of PUT /_fake/builders/NAME"),
        ("PUT", "/_fake/builders/", b"", 404, "is not one of"),
    ],
)
def test_a_bad_control_request_is_told_why(
    server: Server, method: str, path: str, body: bytes, status: int, message: str
) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        assert response.status == status
        assert message in response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready"
    root = Path(__file__).parents[4]
    command = [sys.executable, "-m", "local.fake_appstream", "--time-scale", "0.01", "--region", "eu-west-1"]
    with subprocess.Popen(
        [*command, "--duration", "pending=1", "--ready-file", str(ready)],
        cwd=root,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            url = ready.read_text().strip()
            assert line == f"AppStream double listening on {url}\n"
            assert url.startswith("http://127.0.0.1:")
            assert ":eu-west-1:" in Control(url).put_builder("b")["Arn"]
            process.send_signal(number)
            assert process.wait(10) == 0
            assert not ready.exists()
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--time-scale", "0"], "argument --time-scale"),
        (["--duration", "pending=soon"], "argument --duration"),
        (["--duration", "napping=1"], "durations: has no 'napping'; it has deleting"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    from local.fake_appstream.__main__ import main

    with pytest.raises(SystemExit):
        main(arguments)
    assert message in capsys.readouterr().err
