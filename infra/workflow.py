"""The state machine: statemachine/start_image_builder.asl.json with its substitutions, and the role that it runs as."""

from pathlib import Path

from aws_cdk import Aws, CfnDeletionPolicy, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import LOG_RETENTION, Functions
from infra.lint import acknowledge, depends_on_what_the_cdk_orders

DEFINITION = Path(__file__).parent.parent / "statemachine" / "start_image_builder.asl.json"


class Workflow(Construct):
    """The workflow that starts one image builder."""

    def __init__(self, scope: Construct, construct_id: str, *, functions: Functions) -> None:
        super().__init__(scope, construct_id)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            comment="Starts an AppStream 2.0 image builder and waits until it is RUNNING",
            definition_body=sfn.DefinitionBody.from_string(DEFINITION.read_text("utf-8")),
            definition_substitutions={
                "LambdaInvoke": f"arn:{Aws.PARTITION}:states:::lambda:invoke",
                "CheckRequestFunctionArn": functions.check_request.function_arn,
                "StartImageBuilderFunctionArn": functions.start_image_builder.function_arn,
                "DescribeImageBuilderFunctionArn": functions.describe_image_builder.function_arn,
                "TellOperatorsFunctionArn": functions.tell_operators.function_arn,
            },
            # Standard: an execution lasts up to 12 hours, and its history is what an operator reads.
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
                include_execution_data=True,
            ),
        )
        depends_on_what_the_cdk_orders(self.state_machine)
        # Each is a task of the definition.
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[function.function_arn for function in functions.all]
            )
        )
        acknowledge(
            self.state_machine,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "The actions of X-Ray and of CloudWatch Logs vended log delivery take only *. Source: Step Functions "
            "developer guide, X-Ray tracing, and Logging to CloudWatch Logs.",
        )
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
        self.alias = sfn.CfnStateMachineAlias(
            self,
            "Alias",
            name="live",
            description="What schedules, people and other workflows start",
            routing_configuration=[
                sfn.CfnStateMachineAlias.RoutingConfigurationVersionProperty(
                    state_machine_version_arn=version.attr_arn, weight=100
                )
            ],
        )
