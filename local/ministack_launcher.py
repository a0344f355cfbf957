"""Runs MiniStack with what the template and the functions need beyond it. Runs in .venv-ministack.

Patches a pinned version (local/requirements.txt); tests/e2e/test_scenarios.py fails when the patch stops holding.
"""

import io
import os
import sys
import threading
import zipfile
from functools import lru_cache
from typing import Any

from ministack import app
from ministack.services import lambda_svc

BOOTSTRAP = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT" && exec "{sys.executable}" -m awslambdaric "$_HANDLER"
"""


@lru_cache(maxsize=8)
def with_bootstrap(code_zip: bytes) -> bytes:
    """The code of a Python function with an entry point for a provided runtime: AWS's runtime interface client."""
    buffer = io.BytesIO(code_zip)
    with zipfile.ZipFile(buffer, "a") as code:
        code.writestr("bootstrap", BOOTSTRAP)
    return buffer.getvalue()


def execute_python_like_lambda(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run a Python function through AWS's runtime interface client.

    MiniStack's own Python worker names every error Runtime.HandlerError, which no Retry or Catch can match. The client
    that AWS runs gives the class name of the exception, the context object and the stack trace.
    """
    config = func.get("config") or func
    as_provided = {**func, "config": {**config, "Runtime": "provided.al2023"}}
    if as_provided.get("code_zip"):
        as_provided["code_zip"] = with_bootstrap(as_provided["code_zip"])
    result: dict[str, Any] = lambda_svc._execute_function_provided_warm(as_provided, event, request_id)
    return result


def stop_with_parent() -> None:
    """End when standard input closes: whoever started MiniStack is gone, however that happened."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    lambda_svc._execute_function_warm = execute_python_like_lambda
    threading.Thread(target=stop_with_parent, daemon=True).start()
    app.main()
