"""A state machine: its definition from statemachine/ with its substitutions, the role that it runs as, its alias."""

from collections.abc import Mapping
from pathlib import Path

from aws_cdk import ArnFormat, Aws, CfnDeletionPolicy, CfnResource, RemovalPolicy, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import LOG_RETENTION
from infra.suppressions import acknowledge, depends_on_what_the_cdk_orders, takes_an_expression_for_a_number

DEFINITIONS = Path(__file__).parent.parent / "statemachine"
ALIAS = "live"


class Workflow(Construct):
    """One workflow, with a version for each deployment that changes it, and an alias that goes to the last one."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        definition: str,
        comment: str,
        functions: Mapping[str, lambda_.Function],
        starts: Mapping[str, "Workflow"] | None = None,
        runs: Mapping[str, "Workflow"] | None = None,
        distributed_map: str = "",
        event_bus: events.IEventBus | None = None,
    ) -> None:
        """Create the state machine.

        Args:
            scope: of the construct.
            construct_id: of the construct.
            definition: the file in statemachine/.
            comment: what it does.
            functions: that its tasks invoke, by the substitution that each is in the definition.
            starts: other workflows that it starts, by the substitution that the alias of each is.
            runs: other workflows that it starts and waits for, likewise.
            distributed_map: Label of its Map state in distributed mode, if it has one.
            event_bus: where it publishes how its executions end; None: nowhere.
        """
        super().__init__(scope, construct_id)
        starts, runs = starts or {}, runs or {}
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            comment=comment,
            definition_body=sfn.DefinitionBody.from_string((DEFINITIONS / definition).read_text("utf-8")),
            definition_substitutions={
                "LambdaInvoke": f"arn:{Aws.PARTITION}:states:::lambda:invoke",
                **{name: function.function_arn for name, function in functions.items()},
                **({"StartExecution": f"arn:{Aws.PARTITION}:states:::states:startExecution"} if starts else {}),
                **(
                    {"StartExecutionAndWait": f"arn:{Aws.PARTITION}:states:::states:startExecution.sync:2"}
                    if runs
                    else {}
                ),
                **({"PutEvents": f"arn:{Aws.PARTITION}:states:::events:putEvents"} if event_bus else {}),
                **({"EventBusName": event_bus.event_bus_arn} if event_bus else {}),
                **{name: workflow.alias.attr_arn for name, workflow in {**starts, **runs}.items()},
            },
            # Standard: an execution lasts up to days, and its history is what an operator reads.
            state_machine_type=sfn.StateMachineType.STANDARD,
            tracing_enabled=True,
            logs=sfn.LogOptions(
                destination=logs.LogGroup(
                    self,
                    "LogGroup",
                    # The prefix that Step Functions recommends: delivery to it needs no growing resource policy. With
                    # the stack's name, which is unique in an account and Region, a second deployment fits beside it.
                    log_group_name=f"/aws/vendedlogs/states/{Aws.STACK_NAME}/{construct_id}",
                    retention=LOG_RETENTION,
                    removal_policy=RemovalPolicy.DESTROY,
                ),
                level=sfn.LogLevel.ALL,
                # Inputs and outputs are in the history, for as long as this log is kept: one place that a secret in an
                # input would have to be removed from is enough.
                include_execution_data=False,
            ),
        )
        depends_on_what_the_cdk_orders(self.state_machine)
        # Each is a task of the definition.
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[function.function_arn for function in functions.values()],
            )
        )
        # Without waiting for its end, which would take permissions on executions and on a managed rule.
        for workflow in starts.values():
            self.state_machine.add_to_role_policy(workflow.may_start())
        for workflow in runs.values():
            self._may_run(workflow)
        if event_bus:
            self.state_machine.add_to_role_policy(
                iam.PolicyStatement(actions=["events:PutEvents"], resources=[event_bus.event_bus_arn])
            )
        acknowledge(
            self.state_machine,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "The actions of X-Ray and of CloudWatch Logs vended log delivery take only *. Source: Step Functions "
            "developer guide, X-Ray tracing, and Logging to CloudWatch Logs.",
        )
        self.alias: sfn.CfnStateMachineAlias = self._alias()
        if distributed_map:
            takes_an_expression_for_a_number(self.state_machine)
            self._may_run_distributed(distributed_map)

    def may_start(self) -> iam.PolicyStatement:
        """Leave to start executions of it through its alias, and in no other way.

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

    def _may_run(self, workflow: "Workflow") -> None:
        """Start another workflow, hear of its end by a rule that Step Functions manages, and stop it with this one.

        Source: AWS Step Functions developer guide, IAM policies for Step Functions, nested executions.
        """
        self.state_machine.add_to_role_policy(workflow.may_start())
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["states:DescribeExecution", "states:StopExecution"], resources=[workflow.executions()]
            )
        )
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["events:PutTargets", "events:PutRule", "events:DescribeRule"],
                resources=[
                    Stack.of(self).format_arn(
                        service="events",
                        resource="rule",
                        resource_name="StepFunctionsGetEventsForStepFunctionsExecutionRule",
                    )
                ],
            )
        )
        acknowledge(self.state_machine, _of_executions(workflow), "The executions of the workflow that it runs.")

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
        for suffix in ("", f"/{label}"):
            acknowledge(policy, _of_executions(self, suffix), "The children of its own Map state.")
        # Nobody starts it before it may start them.
        self.alias.node.add_dependency(policy)

    def _alias(self) -> sfn.CfnStateMachineAlias:
        version = sfn.CfnStateMachineVersion(
            self,
            "Version",
            state_machine_arn=self.state_machine.state_machine_arn,
            # Changes with the definition, the role and the logging: each change publishes a version.
            state_machine_revision_id=self.state_machine.state_machine_revision_id,
            description="Published by a deployment",
        )
        # The version before stays after an update: the alias can be put back on it.
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


def _of_executions(workflow: Workflow, suffix: str = "") -> str:
    """The finding about a grant on the executions of a workflow."""
    resource = workflow.state_machine.node.default_child
    assert isinstance(resource, CfnResource)  # nosec B101 # for the type checker
    name = f"<{Stack.of(workflow).get_logical_id(resource)}.Name>{suffix}"
    return (
        "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:"
        f"execution:{name}:*]"
    )
