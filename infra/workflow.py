"""A state machine: its definition from statemachine/ with its substitutions, the role that it runs as, its alias."""

from collections.abc import Sequence
from pathlib import Path

from aws_cdk import ArnFormat, Aws, CfnDeletionPolicy, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import Functions
from infra.storage import VENDED_LOGS, Storage
from infra.suppressions import DEPENDS_ON_ITS_ROLE, EXPRESSION_FOR_A_NUMBER, acknowledge_wildcard, ignore, logical_id

DEFINITIONS = Path(__file__).parent.parent / "statemachine"
ALIAS = "live"


class Workflow(Construct):
    """One workflow, with a version for each deployment that changes it, and an alias that points to the newest one.

    A version pins the definition and, in it, the versions of the functions and the aliases of other workflows: moving
    the alias back also brings the functions back. Executions in flight end with the code that they began with.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: str,
        comment: str,
        functions: Functions,
        invokes: Sequence[str],
        storage: Storage,
        starts: Sequence["Workflow"] = (),
        runs: Sequence["Workflow"] = (),
        distributed_map: str = "",
        event_bus: str = "",
    ) -> None:
        """Create the state machine of a definition in statemachine/.

        It invokes functions (by their modules, each in its newest version), starts workflows, runs others to their end,
        has a Map state in distributed mode with this Label, and publishes its results to the bus with this ARN.
        """
        super().__init__(scope, construct_id)
        invoked = {f"{module.title().replace('_', '')}FunctionArn": functions.all[module] for module in invokes}
        integrations = {
            "LambdaInvoke": "lambda:invoke",
            **({"StartExecution": "states:startExecution"} if starts else {}),
            **({"StartExecutionAndWait": "states:startExecution.sync:2"} if runs else {}),
            **({"PutEvents": "events:putEvents"} if event_bus else {}),
        }
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            comment=comment,
            definition_body=sfn.DefinitionBody.from_string((DEFINITIONS / definition).read_text("utf-8")),
            definition_substitutions={
                **{name: f"arn:{Aws.PARTITION}:states:::{action}" for name, action in integrations.items()},
                **{name: function.current_version.function_arn for name, function in invoked.items()},
                **({"EventBusName": event_bus} if event_bus else {}),
                **{f"{workflow.node.id}AliasArn": workflow.alias.attr_arn for workflow in (*starts, *runs)},
            },
            # Standard: an execution lasts up to days, and its history is what an operator reads.
            state_machine_type=sfn.StateMachineType.STANDARD,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                # With the last part of the stack's id: a stack that is created again does not meet the logs that were
                # kept before.
                destination=storage.log_group(
                    self, f"{VENDED_LOGS}/{construct_id}-{Fn.select(2, Fn.split('/', Aws.STACK_ID))}"
                ),
                level=sfn.LogLevel.ALL,
                # Inputs and outputs are in the history, for as long as this log is kept: one place that a secret in an
                # input would have to be removed from is enough.
                include_execution_data=False,
            ),
        )
        ignore(self.state_machine, DEPENDS_ON_ITS_ROLE)
        acknowledge_wildcard(
            self.state_machine,
            "*",
            "The actions of X-Ray and of CloudWatch Logs vended log delivery take only *. Source: Step Functions "
            "developer guide, X-Ray tracing, and Logging to CloudWatch Logs.",
        )
        for function in invoked.values():
            self._may_invoke(function)
        # Without waiting for its end, which would take permissions on executions and on a managed rule.
        for workflow in starts:
            self.state_machine.add_to_role_policy(workflow.may_start())
        for workflow in runs:
            self._may_run(workflow)
        if event_bus:
            self._may("events:PutEvents", on=event_bus)
        self.alias: sfn.CfnStateMachineAlias = self._alias()
        if distributed_map:
            ignore(self.state_machine, DEPENDS_ON_ITS_ROLE, EXPRESSION_FOR_A_NUMBER)
            self._may_run_distributed(distributed_map)

    def may_start(self) -> iam.PolicyStatement:
        """Permission to start executions of it through its alias, and in no other way.

        The resource is the state machine: Step Functions does not authorize by the ARN of an alias. Source: its
        developer guide, Authorization for versions and aliases.
        """
        return iam.PolicyStatement(
            actions=["states:StartExecution"],
            resources=[self.state_machine.state_machine_arn],
            conditions={"ForAnyValue:StringEquals": {"states:StateMachineQualifier": [ALIAS]}},
        )

    def executions(self, label: str = "") -> str:
        """The ARN of its executions; of the children of its Map state, with the Label of that."""
        return Stack.of(self).format_arn(
            service="states",
            resource="execution",
            resource_name=f"{self.state_machine.state_machine_name}{label and f'/{label}'}:*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def acknowledge_executions(self, policy: Construct, reason: str, label: str = "") -> None:
        """Suppress the finding about a grant on `executions`. Args: policy: that has the grant."""
        name = f"<{logical_id(self.state_machine)}.Name>{label and f'/{label}'}"
        acknowledge_wildcard(policy, f"states:<AWS::Region>:<AWS::AccountId>:execution:{name}:*", reason)

    def _may(self, *actions: str, on: str) -> None:
        self.state_machine.add_to_role_policy(iam.PolicyStatement(actions=[*actions], resources=[on]))

    def _may_invoke(self, function: lambda_.Function) -> None:
        """Invoke every version of a function.

        A role that grants only the newest versions breaks executions in flight, and earlier versions of the state
        machine, which run under the same role (aws/aws-cdk#17515). No definition has an unqualified ARN.
        """
        self._may("lambda:InvokeFunction", on=f"{function.function_arn}:*")
        acknowledge_wildcard(
            self.state_machine,
            f"<{logical_id(function)}.Arn>:*",
            "Versions of one function: executions in flight, and earlier versions of the workflow, need theirs.",
        )

    def _may_run(self, workflow: "Workflow") -> None:
        """Start another workflow, learn of its end by a rule that Step Functions manages, and stop it with this one.

        Source: AWS Step Functions developer guide, IAM policies for Step Functions, nested executions.
        """
        self.state_machine.add_to_role_policy(workflow.may_start())
        self._may("states:DescribeExecution", "states:StopExecution", on=workflow.executions())
        rule = Stack.of(self).format_arn(
            service="events", resource="rule", resource_name="StepFunctionsGetEventsForStepFunctionsExecutionRule"
        )
        self._may("events:PutTargets", "events:PutRule", "events:DescribeRule", on=rule)
        workflow.acknowledge_executions(self.state_machine, "The executions of the workflow that it runs.")

    def _may_run_distributed(self, label: str) -> None:
        """Start its own children. Source: AWS Step Functions developer guide, IAM policies for Distributed Map states.

        A policy of its own: in the role's, which the state machine waits for, it would close a circle.
        """
        policy = iam.Policy(
            self,
            "RunDistributed",
            roles=[self.state_machine.role],
            statements=[
                iam.PolicyStatement(
                    actions=["states:StartExecution"], resources=[self.state_machine.state_machine_arn]
                ),
                iam.PolicyStatement(
                    actions=["states:DescribeExecution", "states:StopExecution"],
                    # The guide names the first; a child's ARN has the form of the second.
                    resources=[self.executions(), self.executions(label)],
                ),
            ],
        )
        for each in ("", label):
            self.acknowledge_executions(policy, "The children of its own Map state.", each)
        # Nobody starts it before it may start them.
        self.alias.node.add_dependency(policy)

    def _alias(self) -> sfn.CfnStateMachineAlias:
        version = sfn.CfnStateMachineVersion(
            self,
            "Version",
            state_machine_arn=self.state_machine.state_machine_arn,
            # Changes with the definition, the functions in it, the role and the logging: each publishes a version.
            state_machine_revision_id=self.state_machine.state_machine_revision_id,
            description="Published by a deployment",
        )
        # Earlier versions stay after an update, so that the alias can be moved back. At 1,000 of them, deployments fail
        # until some are deleted: nothing here deletes them, since an execution in flight may need any. Source: AWS Step
        # Functions API reference, PublishStateMachineVersion.
        version.cfn_options.deletion_policy = CfnDeletionPolicy.DELETE
        version.cfn_options.update_replace_policy = CfnDeletionPolicy.RETAIN
        return sfn.CfnStateMachineAlias(
            self,
            "Alias",
            name=ALIAS,
            description="What schedules, people and other workflows start",
            routing_configuration=[
                sfn.CfnStateMachineAlias.RoutingConfigurationVersionProperty(
                    state_machine_version_arn=version.attr_arn, weight=100
                )
            ],
        )
