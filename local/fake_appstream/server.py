"""The double over HTTP on loopback: the API, and the control interface under /_fake/."""

import inspect
import json
import socketserver
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.faults import Fault
from local.fake_appstream.protocol import Response, respond
from local.fake_appstream.validation import Refused, table

HOST = "127.0.0.1"
CONTROL = "/_fake/"


class Server(ThreadingHTTPServer):
    """Serves one double.

    Args:
        double: what is served.
        port: on 127.0.0.1; 0: any free one.
    """

    daemon_threads = True
    # Many executions that start at once connect at once.
    request_queue_size = 128

    def __init__(self, double: FakeAppStream, port: int = 0) -> None:
        super().__init__((HOST, port), _Handler)
        self.double = double

    @property
    def url(self) -> str:
        """The endpoint URL."""
        return f"http://{HOST}:{self.server_port}"

    def server_bind(self) -> None:
        """Bind without the look-up of the host's name that HTTPServer does, which can take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away, as one does that waited too long for a delayed answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that head and body leave in one packet.
    wbufsize = -1

    def _handle(self) -> None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal():
            self.send_error(400, "Content-Length: must be a whole number")
            return
        body = self.rfile.read(int(length))
        url = urlsplit(self.path)
        if url.path.startswith(CONTROL):
            response = control(self.server.double, self.command, self.path.removeprefix(CONTROL), body)
        else:
            headers = {name.lower(): value for name, value in self.headers.items()}
            response = respond(self.server.double, url.path, headers, body)
        if response.delay:
            time.sleep(response.delay)
        if response.dropped:
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the calls are at /_fake/calls."""


def control(double: FakeAppStream, method: str, target: str, body: bytes) -> Response:
    """Answer one request to the control interface.

    Args:
        double: what is controlled.
        method: of HTTP.
        target: path and query after /_fake/.
        body: JSON, or empty.
    """
    url = urlsplit(target)
    collection, _, name = url.path.partition("/")
    name = unquote(name)
    region = parse_qs(url.query).get("region", [None])[-1]
    actions: Mapping[tuple[str, str, bool], Callable[[Any], Any]] = {
        ("PUT", "builders", True): lambda content: double.put_builder(name, **_arguments(double.put_builder, content)),
        ("PATCH", "builders", True): lambda content: double.patch_builder(
            name, **_arguments(double.patch_builder, content)
        ),
        ("GET", "builders", True): lambda _: double.builder(name, region=region),
        ("DELETE", "builders", True): lambda _: double.delete_builder(name, region=region),
        ("POST", "faults", False): lambda content: double.faults.add(Fault.parse(content)),
        ("DELETE", "faults", False): lambda _: double.faults.clear(),
        ("GET", "calls", False): lambda _: [asdict(call) for call in double.calls],
        ("DELETE", "calls", False): lambda _: double.clear_calls(),
        ("GET", "clock", False): lambda _: {"now": double.clock.now()},
        ("POST", "reset", False): lambda _: double.reset(),
    }
    action = actions.get((method, collection, bool(name)))
    if action is None:
        offered = ", ".join(f"{verb} {CONTROL}{path}{'/NAME' if named else ''}" for verb, path, named in actions)
        return _json(404, {"error": f"{method} {CONTROL}{url.path}: is not one of {offered}"})
    try:
        return _json(200, action(json.loads(body or b"null")))
    except Refused as refusal:
        return _json(400, {"error": str(refusal)})
    except (ValueError, RecursionError) as problem:
        return _json(400, {"error": f"body: must be JSON: {problem}"})


def _arguments(method: Callable[..., Any], content: object) -> Mapping[str, Any]:
    """The content as keyword arguments of a method."""
    return table("body", content, [name for name in inspect.signature(method).parameters if name != "name"])


def _json(status: int, content: object) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(content).encode())
