"""Runs MiniStack, in .venv-ministack, with what the template and the functions need and it lacks.

These are patches of a pinned version (local/requirements.txt). Tests in tests/e2e fail without any of them.
"""

import io
import json
import os
import shlex
import sys
import threading
import zipfile
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ministack import app
from ministack.services import lambda_svc, stepfunctions
from ministack.services.cloudformation import provisioners

BOOTSTRAP = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT" && exec {shlex.quote(sys.executable)} -m awslambdaric "$_HANDLER"
"""


_alarm_record = provisioners._cw_metric_alarm_record
_start_sync_execution = stepfunctions._start_sync_execution
_run_map_items = stepfunctions._run_map_items


@lru_cache(maxsize=8)
def with_bootstrap(code_zip: bytes) -> bytes:
    """The code of a Python function, and a bootstrap for a provided runtime: AWS's runtime interface client.

    It runs on this environment's Python, which is that of the Lambda runtime where the machine has it.
    """
    buffer = io.BytesIO(code_zip)
    with zipfile.ZipFile(buffer, "a") as code:
        code.writestr("bootstrap", BOOTSTRAP)
    return buffer.getvalue()


def execute_python_like_lambda(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run a Python function by AWS's runtime interface client.

    MiniStack's own Python worker names every error Runtime.HandlerError, which no Retry or Catch can match. AWS's
    client gives the class name of the exception, the context object and the stack trace.
    """
    config = {**func["config"], "Runtime": "provided.al2023"}
    as_provided = {**func, "config": config, "code_zip": with_bootstrap(func["code_zip"])}
    result: dict[str, Any] = lambda_svc._execute_function_provided_warm(as_provided, event, request_id)
    return result


def answer(operation: Callable[[dict[str, Any]], Any], **request: Any) -> dict[str, Any]:
    """What MiniStack's Step Functions API answers; CloudFormation reports an error as the reason of a failure."""
    status, _, body = operation(request)
    if status >= 400:
        raise ValueError(body.decode())
    answered: dict[str, Any] = json.loads(body)
    return answered


def create_version(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    """Create an AWS::StepFunctions::StateMachineVersion: publish the present definition."""
    machine = properties["StateMachineArn"]
    arn = answer(stepfunctions._publish_state_machine_version, stateMachineArn=machine)["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def create_alias(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    """Create an AWS::StepFunctions::StateMachineAlias."""
    made = answer(stepfunctions._create_state_machine_alias, name=properties["Name"], **routing(properties))
    return made["stateMachineAliasArn"], {"Arn": made["stateMachineAliasArn"]}


def update_alias(
    arn: str, old: dict[str, Any], properties: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Point an alias to another version."""
    answer(stepfunctions._update_state_machine_alias, stateMachineAliasArn=arn, **routing(properties))
    return arn, {"Arn": arn}


def routing(properties: dict[str, Any]) -> dict[str, Any]:
    """The routing of an alias as the API takes it."""
    versions = properties["RoutingConfiguration"]
    weights = [{"stateMachineVersionArn": e["StateMachineVersionArn"], "weight": int(e["Weight"])} for e in versions]
    return {"routingConfiguration": weights}


RESOURCES = {
    "AWS::StepFunctions::StateMachineVersion": {
        "create": create_version,
        "delete": lambda arn, _: answer(stepfunctions._delete_state_machine_version, stateMachineVersionArn=arn),
    },
    "AWS::StepFunctions::StateMachineAlias": {
        "create": create_alias,
        "update": update_alias,
        "delete": lambda arn, _: answer(stepfunctions._delete_state_machine_alias, stateMachineAliasArn=arn),
    },
}
"""The resource types that MiniStack's CloudFormation lacks, by its own Step Functions API."""


def alarm_record(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Accept an alarm on metric math, which MiniStack refuses, as one on a metric without data: it never fires."""
    without_data = {"MetricName": "metric math", "Namespace": "not evaluated by MiniStack"}
    record: dict[str, Any] = _alarm_record(name, {**without_data, **properties, "Metrics": None})
    return record


def start_sync_execution(request: dict[str, Any]) -> Any:
    """Start a nested execution by the ARN of a version or an alias, which MiniStack accepts of StartExecution alone."""
    machine = stepfunctions._resolve_state_machine_arn(request["stateMachineArn"])
    return _start_sync_execution({**request, "stateMachineArn": machine})


def run_map_items(state: dict[str, Any], raw_input: Any, execution: dict[str, Any], ctx: dict[str, Any]) -> Any:
    """Run a distributed Map state as an inline one: MiniStack's distributed mode ignores Items in JSONata.

    The items run alike. There is no Map Run, and their histories are part of the execution's own.
    """
    processor = {**state["ItemProcessor"], "ProcessorConfig": {"Mode": "INLINE"}}
    return _run_map_items({**state, "ItemProcessor": processor}, raw_input, execution, ctx)


def stop_with_parent() -> None:
    """End when standard input closes: the process that started MiniStack has ended."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    lambda_svc._execute_function_warm = execute_python_like_lambda
    provisioners._RESOURCE_HANDLERS.update(RESOURCES)
    provisioners._cw_metric_alarm_record = alarm_record
    stepfunctions._run_map_items = run_map_items
    stepfunctions._start_sync_execution = start_sync_execution
    threading.Thread(target=stop_with_parent, daemon=True).start()
    app.main()
