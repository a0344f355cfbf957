"""The fake over HTTP on loopback: the API, and the control interface under /_fake/."""

import json
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler
from typing import Any

from local.fake_appstream.fake import FakeAppStream
from local.fake_appstream.faults import Fault

HOST = "127.0.0.1"
CONTROL = "/_fake/"


@contextmanager
def serving(fake: FakeAppStream) -> Iterator[str]:
    """Serve a fake, on a free port and in threads of this process, until the end of the block: its endpoint URL."""
    with _Server(fake) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield f"http://{HOST}:{server.server_address[1]}"
        server.shutdown()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    # Many executions that start at once connect at once.
    request_queue_size = 128

    def __init__(self, fake: FakeAppStream) -> None:
        super().__init__((HOST, 0), _Handler)
        self.fake = fake

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that has gone, such as one whose read timed out."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Buffered, so that head and body leave in one packet.
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.startswith(CONTROL):
            done = control(self.server.fake, self.path.removeprefix(CONTROL), json.loads(body))
            self._send(200, json.dumps(done).encode())
            return
        reply = self.server.fake.respond(self.headers["X-Amz-Target"], body)
        time.sleep(reply.delay)
        if reply.dropped:
            self.close_connection = True
        else:
            self._send(reply.status, reply.body)

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the calls are at /_fake/calls."""


def control(fake: FakeAppStream, action: str, arguments: Mapping[str, Any]) -> Any:
    """Do what one request to the control interface asks for."""
    actions: Mapping[str, Callable[..., Any]] = {
        "put_builder": fake.put_builder,
        "builder": fake.builder,
        "add_fault": lambda **fault: fake.faults.append(Fault.parse(fault)),
        "calls": lambda: [asdict(call) for call in fake.calls],
    }
    return actions[action](**arguments)
