"""Results that no state of a workflow can report: status change events, delivered to the function that notifies."""

from collections.abc import Collection

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.functions import role_of
from infra.storage import Storage
from infra.workflow import Workflow


class StatusChanges(Construct):
    """Notifies of every execution that ends without success, unless its workflow has notified the operators itself.

    Events reach the function at least once, and become dead letters when it could not be reached or failed.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workflows: Collection[Workflow],
        notify_operators: lambda_.Function,
        storage: Storage,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
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
        storage.grant_send(notify_operators, dead_letters)
        # A policy of its own: in the role's, which the function waits for, it would close a circle, as the state
        # machines wait for the function.
        describe = iam.Policy(
            self,
            "DescribeExecutions",
            roles=[role_of(notify_operators)],
            statements=[
                iam.PolicyStatement(
                    actions=["states:DescribeExecution"], resources=[workflow.executions() for workflow in workflows]
                )
            ],
        )
        for workflow in workflows:
            workflow.acknowledge_executions(describe, "The executions of this state machine: any may fail.")
        machines = [workflow.state_machine.state_machine_arn for workflow in workflows]
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
                        pattern for machine in machines for pattern in (machine, {"prefix": f"{machine}:"})
                    ],
                    "status": ["FAILED", "TIMED_OUT", "ABORTED"],
                },
            ),
            targets=[
                # $LATEST, as the function that notifies should be the newest one, whatever version a workflow is at.
                targets.LambdaFunction(
                    notify_operators,
                    dead_letter_queue=dead_letters,
                    max_event_age=Duration.hours(24),
                    retry_attempts=185,
                )
            ],
        )
