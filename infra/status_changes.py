"""The ends that no state of the workflow can tell of: status change events, brought to the function that tells."""

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct


class StatusChanges(Construct):
    """Tells of every execution that ends without success, unless the workflow has told of it itself.

    Events reach the function at least once, and are kept in `dead_letters` when it could not be reached or failed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        state_machine: sfn.StateMachine,
        tell_operators: lambda_.Function,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            # A key of its own would be one more thing that can keep the last resort from working.
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        # A function is invoked asynchronously by a rule: Lambda tries again twice over about three minutes, and for up
        # to six hours while it throttles or is out of order.
        tell_operators.configure_async_invoke(
            on_failure=destinations.SqsDestination(self.dead_letters),
            max_event_age=Duration.hours(6),
            retry_attempts=2,
        )
        events.Rule(
            self,
            "Rule",
            description="Executions that ended without success",
            event_pattern=events.EventPattern(
                source=["aws.states"],
                detail_type=["Step Functions Execution Status Change"],
                detail={
                    "stateMachineArn": [state_machine.state_machine_arn],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[
                targets.LambdaFunction(
                    tell_operators,
                    dead_letter_queue=self.dead_letters,
                    max_event_age=Duration.hours(24),
                    retry_attempts=185,
                )
            ],
        )
