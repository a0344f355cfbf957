"""What starts the workflows by itself: schedules and events; and what becomes of a start that cannot be delivered."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config.event_patterns import Trigger
from infra.config.schedules import Schedule, utc
from infra.functions import FUNCTION_TIMEOUT
from infra.suppressions import acknowledge
from infra.workflow import Workflow

RETRY_FOR = Duration.hours(1)
"""A start that comes hours late runs when nobody expects it. What cannot be delivered by then is a dead letter."""

MAX_RETRIES = 185


class Triggers(Construct):
    """The schedules and triggers of the configuration.

    Attributes:
        undelivered: the starts that could not be delivered. The operators are told of each, and it is gone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workflows: Mapping[str, Workflow],
        schedules: Sequence[Schedule],
        triggers: Sequence[Trigger],
        notify_operators: lambda_.Function,
        dead_letters: sqs.Queue,
    ) -> None:
        """Create them.

        Args:
            scope: of the construct.
            construct_id: of the construct.
            workflows: by what the configuration calls them.
            schedules: of the configuration.
            triggers: of the configuration.
            notify_operators: tells of each start that could not be delivered.
            dead_letters: where a start goes that nobody could be told of.
        """
        super().__init__(scope, construct_id)
        self._workflows = workflows
        self.undelivered = sqs.Queue(
            self,
            "DeadLetter",
            # Six times the function's own. Source: AWS Lambda developer guide, Using Lambda with Amazon SQS.
            visibility_timeout=Duration.seconds(6 * FUNCTION_TIMEOUT.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=3, queue=dead_letters),
            # A key of its own would be one more thing that can keep the last resort from working.
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        if schedules or triggers:
            self._tell(notify_operators)
        if schedules:
            self._schedules(schedules)
        for trigger in triggers:
            self._trigger(trigger)

    def _tell(self, notify_operators: lambda_.Function) -> None:
        # By hand: the CDK's own event source would let the function read more of the queue than Lambda needs. Source:
        # AWS Lambda developer guide, Creating and configuring an Amazon SQS event source mapping, permissions.
        notify_operators.add_to_role_policy(
            iam.PolicyStatement(
                actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
                resources=[self.undelivered.queue_arn],
            )
        )
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=notify_operators,
            event_source_arn=self.undelivered.queue_arn,
            # One message for each: with more at once, those before one that fails would be told again with it.
            batch_size=1,
        )
        acknowledge(
            mapping,
            "Serverless::Serverless-LambdaEventSourceMappingDestination",
            "A destination is for streams: of a queue, what fails goes to its own dead-letter queue.",
        )

    def _schedules(self, schedules: Sequence[Schedule]) -> None:
        group = scheduler.CfnScheduleGroup(self, "Schedules")
        role = iam.Role(
            self,
            "SchedulesRole",
            description="EventBridge Scheduler starts the workflows under it",
            assumed_by=iam.ServicePrincipal(
                "scheduler.amazonaws.com",
                # Source: EventBridge Scheduler user guide, Confused deputy prevention.
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID, "aws:SourceArn": group.attr_arn}},
            ),
        )
        for name in sorted({schedule.workflow for schedule in schedules}):
            role.add_to_policy(self._workflows[name].may_start())
        # The service sends to the queue under this role as well.
        role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.undelivered.queue_arn]))
        for schedule in schedules:
            window = schedule.flexible_window_minutes
            resource = scheduler.CfnSchedule(
                self,
                f"Schedule-{schedule.name}",
                name=schedule.name,
                group_name=group.ref,
                schedule_expression=schedule.expression,
                schedule_expression_timezone=schedule.timezone,
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(
                    mode="FLEXIBLE" if window else "OFF", maximum_window_in_minutes=window or None
                ),
                state="ENABLED" if schedule.enabled else "DISABLED",
                start_date=utc(schedule.start),
                end_date=utc(schedule.end),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self._workflows[schedule.workflow].alias.attr_arn,
                    role_arn=role.role_arn,
                    input=schedule.input,
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.undelivered.queue_arn),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=RETRY_FOR.to_seconds(), maximum_retry_attempts=MAX_RETRIES
                    ),
                ),
            )
            # Before the policy is there, it could not start anything.
            resource.node.add_dependency(role.node.find_child("DefaultPolicy"))

    def _trigger(self, trigger: Trigger) -> None:
        role = iam.Role(
            self,
            f"TriggerRole-{trigger.name}",
            description=f"EventBridge starts a workflow under it, for the events of {trigger.name}",
            assumed_by=iam.ServicePrincipal(
                "events.amazonaws.com", conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}}
            ),
        )
        workflow = self._workflows[trigger.workflow]
        role.add_to_policy(workflow.may_start())
        rule = events.CfnRule(
            self,
            f"Trigger-{trigger.name}",
            description=f"Starts a workflow for each event of {trigger.name}; its detail is the request",
            event_bus_name=trigger.event_bus,
            event_pattern=trigger.pattern,
            state="ENABLED" if trigger.enabled else "DISABLED",
            targets=[
                events.CfnRule.TargetProperty(
                    id="Workflow",
                    arn=workflow.alias.attr_arn,
                    role_arn=role.role_arn,
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.undelivered.queue_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=RETRY_FOR.to_seconds(), maximum_retry_attempts=MAX_RETRIES
                    ),
                )
            ],
        )
        rule.node.add_dependency(role.node.find_child("DefaultPolicy"))
        self.undelivered.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.undelivered.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
