"""An AWS that answers as a test says, over HTTP: what boto3 makes of it is boto3's own."""

import io
import json
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

Answer = tuple[int, str]
"""Of an AWS service: the HTTP status and the body."""


@dataclass
class Aws:
    """Answers every call with an error, or as a test says.

    Attributes:
        answers: by operation; of a list, one after the other, and then the error.
        called: the operations, in order.
    """

    answers: dict[str, Answer | list[Answer]] = field(default_factory=dict)
    error: tuple[str, str] = ("AccessDeniedException", "User u is not authorized to perform this.")
    called: list[str] = field(default_factory=list)

    def answer(self, operation: str, is_json: bool) -> Answer:
        self.called.append(operation)
        given = self.answers.get(operation)
        if given and isinstance(given, tuple):
            return given
        if given:
            return given.pop(0)
        code, message = self.error
        if is_json:
            return 400, json.dumps({"__type": code, "message": message})
        return 400, f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Aws]:
    answers = Aws()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as http.server names it
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            target = self.headers.get("X-Amz-Target", "")
            operation = target.rpartition(".")[2] or parse_qs(body)["Action"][0]
            status, text = answers.answer(operation, bool(target))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    cdk = tmp_path / "cdk"
    cdk.write_text("#!/bin/sh\nexit 9\n")
    cdk.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "stdin", io.StringIO("stop\n"))
    yield answers
    server.shutdown()
    server.server_close()
