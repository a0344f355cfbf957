"""The deployed stack, for the commands that work on it; and in one sentence why it cannot be worked on."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
from botocore.exceptions import ClientError

from cli.account import CONFIG, AccountError, connect
from infra.config.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

ALIASES = {"fleet": "FleetAliasArn", "start": "StateMachineAliasArn", "stop": "StopAliasArn"}
"""The output with the alias of each workflow, in the order in which they are stopped."""

_NEXT_STEPS = {
    "ROLLBACK_COMPLETE": "its creation failed; remove it with `make destroy`, then deploy again",
    "ROLLBACK_FAILED": "its creation failed; remove it with `make destroy`, then deploy again",
    "UPDATE_ROLLBACK_FAILED": "an update failed; continue its rollback in the CloudFormation console",
    "DELETE_FAILED": "its removal failed; run `make destroy` again",
}


class Workflow(NamedTuple):
    """A deployed workflow: ARNs of its alias and of the version that was deployed last."""

    name: str
    alias: str
    deployed: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """The stack that the settings name. Its resources: of each type, the physical IDs by logical ID."""

    session: boto3.Session
    settings: Settings
    status: str
    outputs: Mapping[str, str]
    resources: Mapping[str, Mapping[str, str]]

    @property
    def stepfunctions(self) -> "SFNClient":
        """A client of Step Functions."""
        return self.session.client("stepfunctions", config=CONFIG)

    def client(self, service: str) -> Any:
        """A client of another service."""
        return self.session.client(service, config=CONFIG)  # type: ignore[call-overload]  # by name

    def output(self, name: str) -> str:
        """Raises: AccountError: the stack has no such output."""
        if name not in self.outputs:
            stack = self.settings.stack_name
            raise AccountError(f"The stack {stack} has no output {name}: deploy it with `make deploy`.")
        return self.outputs[name]

    @property
    def workflows(self) -> list[Workflow]:
        """Fleet, start and stop. Raises: AccountError: the stack has no alias of one."""
        versions = self.resources.get("AWS::StepFunctions::StateMachineVersion", {}).values()
        deployed = {machine_of(version): version for version in versions}
        aliases = {name: self.output(output) for name, output in ALIASES.items()}
        return [Workflow(name, alias, deployed[machine_of(alias)]) for name, alias in aliases.items()]

    def running(self, state_machine: str) -> "Iterator[ExecutionListItemTypeDef]":
        """The executions of a state machine that go on."""
        pages = self.stepfunctions.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=state_machine, statusFilter="RUNNING"):
            yield from page["executions"]

    def stop(self, execution: str, error: str, cause: str) -> None:
        """Stop an execution, if it has not just ended."""
        try:
            self.stepfunctions.stop_execution(executionArn=execution, error=error, cause=cause)
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "ValidationException":
                raise

    def versions_of(self, workflow: Workflow) -> list[str]:
        """The versions that the alias of a workflow is on: one, or two while it is being shifted."""
        alias = self.stepfunctions.describe_state_machine_alias(stateMachineAliasArn=workflow.alias)
        return [target["stateMachineVersionArn"] for target in alias["routingConfiguration"]]

    def moved(self) -> list[str]:
        """A sentence for each alias that is not on the version that was deployed last."""
        return [
            f"The alias of the {workflow.name} workflow is on version {' and '.join(map(number, versions))}, and "
            f"version {number(workflow.deployed)} was deployed last: `make rollback` moves it there."
            for workflow in self.workflows
            if (versions := self.versions_of(workflow)) != [workflow.deployed]
        ]


def machine_of(arn: str) -> str:
    """The ARN of the state machine of an alias or a version."""
    return arn.rpartition(":")[0]


def number(version: str) -> str:
    """The number of a version, by its ARN."""
    return version.rpartition(":")[2]


def find() -> Deployment | None:
    """The deployed stack; None where there is none."""
    session, settings = connect(), Settings.load()
    cloudformation = session.client("cloudformation", config=CONFIG)
    try:
        (stack,) = cloudformation.describe_stacks(StackName=settings.stack_name)["Stacks"]
    except ClientError as error:
        # Source: AWS CloudFormation API reference, DescribeStacks: a stack that does not exist is a ValidationError.
        if "does not exist" in error.response["Error"]["Message"]:
            return None
        raise
    resources: dict[str, dict[str, str]] = defaultdict(dict)
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=settings.stack_name):
        for each in page["StackResourceSummaries"]:
            if each["ResourceStatus"] not in ("DELETE_COMPLETE", "DELETE_SKIPPED"):
                resources[each["ResourceType"]][each["LogicalResourceId"]] = each.get("PhysicalResourceId", "")
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return Deployment(session, settings, stack["StackStatus"], outputs, resources)


def deployed(*, broken: bool = False) -> Deployment:
    """The deployed stack. Args: broken: it may be one that only `make destroy` can work with."""
    stack = find()
    if stack is None:
        raise AccountError(
            f"There is no stack {Settings.load().stack_name} in the Region {connect().region_name} of this account: "
            "deploy it with `make deploy`, or name another Region with AWS_REGION."
        )
    if stack.status.endswith("_IN_PROGRESS"):
        raise AccountError(f"The stack {stack.settings.stack_name} is {stack.status}: try again when that is done.")
    if not broken and (step := _NEXT_STEPS.get(stack.status)):
        raise AccountError(f"The stack {stack.settings.stack_name} is {stack.status}: {step}. Its events say why.")
    return stack
