"""Runs MiniStack, in .venv-ministack, with what the template and the functions need and it lacks.

These are patches of a pinned version (local/requirements.txt). Tests in tests/e2e fail without them: those of
test_emulator.py, and, for what every deployment or every run needs, all others.
"""

import io
import json
import os
import sys
import threading
import zipfile
from collections.abc import Callable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from ministack import app
from ministack.services import lambda_svc, stepfunctions
from ministack.services.cloudformation import provisioners

BOOTSTRAP = f"""#!/bin/sh
cd "$LAMBDA_TASK_ROOT" && exec "{sys.executable}" -m awslambdaric "$_HANDLER"
"""


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
    config = func.get("config") or func
    as_provided = {**func, "config": {**config, "Runtime": "provided.al2023"}}
    if as_provided.get("code_zip"):
        as_provided["code_zip"] = with_bootstrap(as_provided["code_zip"])
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
    arn = answer(
        stepfunctions._publish_state_machine_version,
        stateMachineArn=properties["StateMachineArn"],
        revisionId=properties["StateMachineRevisionId"],
        description=properties["Description"],
    )["stateMachineVersionArn"]
    return arn, {"Arn": arn}


def create_alias(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
    """Create an AWS::StepFunctions::StateMachineAlias."""
    named = {"name": properties["Name"], "description": properties["Description"]}
    arn = answer(stepfunctions._create_state_machine_alias, **named, **routing(properties))["stateMachineAliasArn"]
    return arn, {"Arn": arn}


def update_alias(
    arn: str, old: dict[str, Any], properties: dict[str, Any], stack_name: str
) -> tuple[str, dict[str, Any]]:
    """Point an alias to other versions."""
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
    if "Metrics" in properties:
        kept = {key: value for key, value in properties.items() if key != "Metrics"}
        properties = {**kept, "MetricName": "metric math", "Namespace": "not evaluated by MiniStack"}
    record: dict[str, Any] = _alarm_record(name, properties)
    return record


_alarm_record = provisioners._cw_metric_alarm_record


_assigned = threading.local()
_apply_state_assign = stepfunctions._apply_state_assign
_add_event = stepfunctions._add_event


def apply_state_assign(state: dict[str, Any], raw_input: Any, ctx: dict[str, Any], **kwargs: Any) -> None:
    """Note which variables a state assigns, for the event of its exit."""
    _apply_state_assign(state, raw_input, ctx, **kwargs)
    _assigned.variables = {name: json.dumps(ctx["variables"][name]) for name in state.get("Assign") or {}}


def add_event(execution: dict[str, Any], event_type: str, details: dict[str, Any] | None = None) -> Any:
    """Add to the exit from a state what it assigned, which MiniStack leaves out.

    Source: AWS Step Functions API reference, StateExitedEventDetails, assignedVariables.
    """
    if event_type.endswith("StateEntered"):
        _assigned.variables = {}
    if event_type.endswith("StateExited") and details and getattr(_assigned, "variables", None):
        details["stateExitedEventDetails"]["assignedVariables"] = _assigned.variables
    return _add_event(execution, event_type, details)


_version: ContextVar[dict[str, Any] | None] = ContextVar("version", default=None)
"""Of the state machine that the current thread runs; None: the newest definition."""


def at_its_version(start: Callable[[dict[str, Any]], Any], resolve: bool = False) -> Callable[[dict[str, Any]], Any]:
    """Run an execution that is started through a version or an alias with that version's definition, as AWS does.

    Args:
        start: MiniStack's own, which runs the newest definition in a thread with a copy of this context.
        resolve: whether it takes the ARN of a state machine only.
    """

    def start_at_its_version(data: dict[str, Any]) -> Any:
        arn = data.get("stateMachineArn", "")
        version = stepfunctions._execution_version_arn(arn)
        token = _version.set(stepfunctions._state_machine_versions.get(version))
        try:
            base = stepfunctions._resolve_state_machine_arn(arn) if resolve else None
            return start({**data, "stateMachineArn": base or arn})
        finally:
            _version.reset(token)

    return start_at_its_version


class StateMachines(type(stepfunctions._state_machines)):  # type: ignore[misc]  # MiniStack has no types
    """MiniStack's state machines, each with the definition of the version that the current thread runs."""

    __slots__ = ()

    def get(self, arn: str, default: Any = None) -> Any:
        """As of a dict."""
        found, version = super().get(arn, default), _version.get()
        if version and version["stateMachineArn"] == arn:
            return {**found, "definition": version["definition"]}
        return found


_run_map_items = stepfunctions._run_map_items


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
    stepfunctions._apply_state_assign = apply_state_assign
    stepfunctions._add_event = add_event
    stepfunctions._run_map_items = run_map_items
    stepfunctions._start_execution = at_its_version(stepfunctions._start_execution)
    stepfunctions._start_sync_execution = at_its_version(stepfunctions._start_sync_execution, resolve=True)
    stepfunctions._state_machines.__class__ = StateMachines
    threading.Thread(target=stop_with_parent, daemon=True).start()
    app.main()
