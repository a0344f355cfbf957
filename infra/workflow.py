"""The state machine: statemachine/start_image_builder.asl.json with its substitutions, and the role that it runs as."""

from pathlib import Path

from aws_cdk import Aws, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.functions import LOG_RETENTION, Functions
from infra.lint import depends_on_what_the_cdk_orders

DEFINITION = Path(__file__).parent.parent / "statemachine" / "start_image_builder.asl.json"


class Workflow(Construct):
    """The workflow that starts one image builder."""

    def __init__(
        self, scope: Construct, construct_id: str, *, functions: Functions, operator_topic: sns.ITopic
    ) -> None:
        super().__init__(scope, construct_id)
        self.state_machine = sfn.StateMachine(
            self,
            "StateMachine",
            comment="Starts an AppStream 2.0 image builder and waits until it is RUNNING",
            definition_body=sfn.DefinitionBody.from_string(DEFINITION.read_text("utf-8")),
            definition_substitutions={
                "LambdaInvoke": f"arn:{Aws.PARTITION}:states:::lambda:invoke",
                "SnsPublish": f"arn:{Aws.PARTITION}:states:::sns:publish",
                "CheckRequestFunctionArn": functions.check_request.function_arn,
                "StartImageBuilderFunctionArn": functions.start_image_builder.function_arn,
                "DescribeImageBuilderFunctionArn": functions.describe_image_builder.function_arn,
                "OperatorTopicArn": operator_topic.topic_arn,
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
        # "Check the request", "Start the image builder" and "Look at the image builder".
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"],
                resources=[
                    functions.check_request.function_arn,
                    functions.start_image_builder.function_arn,
                    functions.describe_image_builder.function_arn,
                ],
            )
        )
        # "Tell the operator".
        self.state_machine.add_to_role_policy(
            iam.PolicyStatement(actions=["sns:Publish"], resources=[operator_topic.topic_arn])
        )
