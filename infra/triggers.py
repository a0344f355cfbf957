"""What starts the workflows by itself: schedules and events; and the dead letters of starts they cannot deliver."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration, Names, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config.event_patterns import Trigger
from infra.config.schedules import Schedule, utc
from infra.config.settings import Settings
from infra.functions import FUNCTION_TIMEOUT
from infra.storage import Storage
from infra.suppressions import acknowledge
from infra.workflow import Workflow

RETRY_FOR = Duration.hours(1)
"""A start that comes hours late runs when nobody expects it. What cannot be delivered by then is a dead letter."""

MAX_RETRIES = 185


class Triggers(Construct):
    """The schedules and triggers of the settings.

    Their dead letters: the starts that could not be delivered. The operators are notified of each, which removes it;
    what fails to be reported goes to the last resort.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        workflows: Mapping[str, Workflow],
        settings: Settings,
        storage: Storage,
        notify_operators: lambda_.Function,
        last_resort: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
        self._workflows, self._storage = workflows, storage
        self.dead_letters = storage.queue(
            self,
            "DeadLetters",
            # Six times the function's own, and at least 5 receives, since a throttled invocation counts as well.
            # Source: AWS Lambda developer guide, Creating and configuring an Amazon SQS event source mapping.
            visibility_timeout=Duration.seconds(6 * FUNCTION_TIMEOUT.to_seconds()),
            dead_letter_queue=sqs.DeadLetterQueue(max_receive_count=5, queue=last_resort),
        )
        if settings.schedules or settings.triggers:
            self._notify_of_dead_letters(notify_operators)
        if settings.schedules:
            self._schedules(settings.schedules)
        for trigger in settings.triggers:
            self._trigger(trigger)

    def _notify_of_dead_letters(self, notify_operators: lambda_.Function) -> None:
        # By hand: the CDK's own event source would let the function read more of the queue than Lambda needs.
        self._storage.grant_consume(notify_operators, self.dead_letters)
        mapping = lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=notify_operators,
            event_source_arn=self.dead_letters.queue_arn,
            # One message for each: with more at once, those before one that fails would be sent again with it.
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
            # Source: EventBridge Scheduler user guide, Confused deputy prevention.
            assumed_by=_service("scheduler", group.attr_arn),
        )
        for name in sorted({schedule.workflow for schedule in schedules}):
            role.add_to_policy(self._workflows[name].may_start())
        # The service sends to the queue under this role as well.
        self._storage.grant_send(role, self.dead_letters)
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
                state=_state(schedule),
                start_date=utc(schedule.start),
                end_date=utc(schedule.end),
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=self._workflows[schedule.workflow].alias.attr_arn,
                    role_arn=role.role_arn,
                    input=schedule.input,
                    dead_letter_config=scheduler.CfnSchedule.DeadLetterConfigProperty(arn=self.dead_letters.queue_arn),
                    retry_policy=scheduler.CfnSchedule.RetryPolicyProperty(
                        maximum_event_age_in_seconds=RETRY_FOR.to_seconds(), maximum_retry_attempts=MAX_RETRIES
                    ),
                ),
            )
            # Before the policy is there, it could not start anything.
            resource.node.add_dependency(role.node.find_child("DefaultPolicy"))

    def _trigger(self, trigger: Trigger) -> None:
        # A name of our own, so that the role's trust can have the rule's ARN: the rule refers to the role already.
        # Source of its length: Amazon EventBridge API reference, PutRule.
        scope = Construct(self, f"Trigger-{trigger.name}")
        name = Names.unique_resource_name(scope, max_length=64, separator="-")
        bus = trigger.event_bus.rpartition("event-bus/")[2]
        rule_arn = Stack.of(self).format_arn(
            service="events", resource="rule", resource_name=name if bus == "default" else f"{bus}/{name}"
        )
        role = iam.Role(
            scope,
            "Role",
            description=f"EventBridge starts a workflow under it, for the events of {trigger.name}",
            # Source: Amazon EventBridge user guide, Using IAM policy conditions: aws:SourceArn is the rule's ARN.
            assumed_by=_service("events", rule_arn),
        )
        workflow = self._workflows[trigger.workflow]
        role.add_to_policy(workflow.may_start())
        rule = events.CfnRule(
            scope,
            "Rule",
            name=name,
            description=f"Starts a workflow for each event of {trigger.name}; its detail is the request",
            event_bus_name=trigger.event_bus,
            event_pattern=trigger.pattern,
            state=_state(trigger),
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


def _service(name: str, source_arn: str) -> iam.ServicePrincipal:
    """A service that may assume a role for one resource of this account alone."""
    conditions = {"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID, "aws:SourceArn": source_arn}}
    return iam.ServicePrincipal(f"{name}.amazonaws.com", conditions=conditions)


def _state(of: Schedule | Trigger) -> str:
    return "ENABLED" if of.enabled else "DISABLED"
