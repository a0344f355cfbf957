"""The ends that no state of the workflow can tell of: status change events, brought to the function that tells."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, CfnResource, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.suppressions import acknowledge


class StatusChanges(Construct):
    """Tells of every execution that ends without success, unless the workflow has told of it itself.

    Events reach the function at least once, and become dead letters when it could not be reached or failed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        state_machines: Sequence[sfn.StateMachine],
        notify_operators: lambda_.Function,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = Stack.of(self)
        # A rule invokes a function asynchronously: Lambda tries again twice over about three minutes, and for up to six
        # hours while it throttles or is out of order.
        lambda_.CfnEventInvokeConfig(
            self,
            "Invocation",
            function_name=notify_operators.function_name,
            qualifier="$LATEST",
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=6 * 60 * 60,
            destination_config=lambda_.CfnEventInvokeConfig.DestinationConfigProperty(
                on_failure=lambda_.CfnEventInvokeConfig.OnFailureProperty(destination=dead_letters.queue_arn)
            ),
        )
        # By hand: the CDK's own destination would let the function read the queue's attributes as well.
        notify_operators.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[dead_letters.queue_arn])
        )
        assert notify_operators.role  # nosec B101 # for the type checker
        # A policy of its own: in the role's, which the function waits for, it would close a circle, as the state
        # machines wait for the function.
        describe = iam.Policy(
            self,
            "DescribeExecutions",
            roles=[notify_operators.role],
            statements=[
                iam.PolicyStatement(
                    actions=["states:DescribeExecution"],
                    resources=[
                        stack.format_arn(
                            service="states",
                            resource="execution",
                            resource_name=f"{machine.state_machine_name}:*",
                            arn_format=ArnFormat.COLON_RESOURCE_NAME,
                        )
                        for machine in state_machines
                    ],
                )
            ],
        )
        for machine in state_machines:
            resource = machine.node.default_child
            assert isinstance(resource, CfnResource)  # nosec B101 # for the type checker
            acknowledge(
                describe,
                "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:"
                f"execution:<{stack.get_logical_id(resource)}.Name>:*]",
                "The executions of this state machine: their names come with them.",
            )
        events.Rule(
            self,
            "Rule",
            description="Executions that ended without success",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    # With or without the version or alias that it was started by.
                    "stateMachineArn": [
                        pattern
                        for machine in state_machines
                        for pattern in (machine.state_machine_arn, {"prefix": f"{machine.state_machine_arn}:"})
                    ],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    notify_operators,
                    dead_letter_queue=dead_letters,
                    max_event_age=Duration.hours(24),
                    retry_attempts=185,
                )
            ],
        )
