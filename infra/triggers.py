"""What starts the workflows by itself: schedules and events, and a queue for what could not be delivered."""

import json
from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration, RemovalPolicy
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.lint import acknowledge
from infra.trigger_config import Schedule, Trigger
from infra.workflow import Workflow

RETRY_FOR = Duration.hours(1)
"""A start that comes hours late runs when nobody expects it. What cannot be delivered by then is a dead letter."""

MAX_RETRIES = 185


class Triggers(Construct):
    """The schedules and triggers of the configuration.

    Attributes:
        dead_letters: the requests that could not be delivered.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workflows: Mapping[str, Workflow],
        schedules: Sequence[Schedule],
        triggers: Sequence[Trigger],
    ) -> None:
        """Create them.

        Args:
            scope: of the construct.
            construct_id: of the construct.
            workflows: by what the configuration calls them.
            schedules: of the configuration.
            triggers: of the configuration.
        """
        super().__init__(scope, construct_id)
        self._workflows = workflows
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            # A key of its own would be one more thing that can keep the last resort from working.
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
        )
        for rule in ("AwsSolutions::AwsSolutions-SQS3", "Serverless::Serverless-SQSRedrivePolicy"):
            acknowledge(self.dead_letters, rule, "It is the dead-letter queue; an alarm speaks when anything is in it.")
        if schedules:
            self._schedules(schedules)
        for trigger in triggers:
            self._trigger(trigger)

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
        role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self.dead_letters.queue_arn]))
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
                start_date=schedule.start,
                end_date=schedule.end,
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self._workflows[schedule.workflow].alias.attr_arn,
                    role_arn=role.role_arn,
                    input=json.dumps(schedule.request),
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
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
            f"Trigger-{trigger.name}-Role",
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
                    dead_letter_config=events.CfnRule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
                    retry_policy=events.CfnRule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=RETRY_FOR.to_seconds(), maximum_retry_attempts=MAX_RETRIES
                    ),
                )
            ],
        )
        rule.node.add_dependency(role.node.find_child("DefaultPolicy"))
        self.dead_letters.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self.dead_letters.queue_arn],
                conditions={"ArnEquals": {"aws:SourceArn": rule.attr_arn}},
            )
        )
