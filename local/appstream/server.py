"""The double over HTTP on loopback: the API, and the control interface under /_double/ that tests and the demo use."""

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local.appstream.faults import Fault
from local.appstream.protocol import Response, respond
from local.appstream.service import AppStream, Dropped

CONTROL = "/_double/"


class Server(ThreadingHTTPServer):
    """Serves one AppStream."""

    daemon_threads = True
    # Fifty executions that start at once connect at once.
    request_queue_size = 256

    def __init__(self, port: int, service: AppStream) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            if self.path.startswith(CONTROL):
                response = _control(self.server.service, self.command, self.path.removeprefix(CONTROL), body)
            else:
                headers = {name.lower(): value for name, value in self.headers.items()}
                response = respond(self.server.service, self.path, headers, body)
        except Dropped:
            self.close_connection = True
            return
        time.sleep(response.delay)
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_POST = do_PUT = do_DELETE = _handle

    def log_message(self, *_: Any) -> None:
        """Say nothing: the calls are at /_double/calls."""


def _control(service: AppStream, method: str, path: str, body: bytes) -> Response:
    collection, _, name = path.partition("/")
    try:
        content = json.loads(body or b"null")
        actions: dict[tuple[str, str], Callable[[], Any]] = {
            ("GET", "clock"): lambda: {"now": service.clock.now()},
            ("GET", "calls"): service.seen,
            ("DELETE", "calls"): service.calls.clear,
            ("POST", "faults"): lambda: service.faults.append(Fault.parse(content)),
            ("DELETE", "faults"): service.faults.clear,
            ("PUT", "builders"): lambda: service.put_builder(name, **(content or {})) and None,
            ("GET", "builders"): lambda: {"state": service.state(name)},
            ("DELETE", "builders"): lambda: service.remove_builder(name),
            ("POST", "reset"): service.reset,
        }
        action = actions.get((method, collection))
        if action is None:
            return _json(404, {"error": f"{method} {CONTROL}{path}: there is no such control"})
        return _json(200, action())
    except (TypeError, ValueError) as problem:
        return _json(400, {"error": str(problem)})


def _json(status: int, content: object) -> Response:
    return Response(status, {"Content-Type": "application/json"}, json.dumps(content, default=str).encode())
