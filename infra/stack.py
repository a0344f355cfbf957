"""The stack that joins the constructs."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.config.settings import Settings
from infra.functions import Functions
from infra.monitoring import Monitoring
from infra.notifications import Notifications
from infra.status_changes import StatusChanges
from infra.triggers import Triggers
from infra.workflow import Workflow


class StartImageBuilderStack(Stack):
    """The workflow that starts image builders. Bound to no account or Region, so that synth needs neither."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Settings) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Step Functions workflow that starts an Amazon AppStream 2.0 image builder",
        )
        if config.permissions_boundary:
            boundary = iam.ManagedPolicy.from_managed_policy_name(self, "Boundary", config.permissions_boundary)
            iam.PermissionsBoundary.of(self).apply(boundary)
        notifications = Notifications(self, "Notifications", subscribers=config.subscribers)
        functions = Functions(self, "Functions", config=config, notifications=notifications)
        shared = {
            "ValidateRequestFunctionArn": functions.validate_request,
            "DescribeImageBuilderFunctionArn": functions.describe_image_builder,
            "NotifyOperatorsFunctionArn": functions.notify_operators,
        }
        stop = Workflow(
            self,
            "StopImageBuilder",
            definition="stop_image_builder.asl.json",
            comment="Stops an AppStream 2.0 image builder, at once or after minutes in which it has to stay RUNNING",
            functions={**shared, "StopImageBuilderFunctionArn": functions.stop_image_builder},
        )
        start = Workflow(
            self,
            "StartImageBuilder",
            definition="start_image_builder.asl.json",
            comment="Starts an AppStream 2.0 image builder and waits until it is RUNNING",
            functions={**shared, "StartImageBuilderFunctionArn": functions.start_image_builder},
            starts={"StopImageBuilderAliasArn": stop},
            event_bus=self._event_bus(config.event_bus),
        )
        fleet = Workflow(
            self,
            "StartFleet",
            definition="start_fleet.asl.json",
            comment="Starts many AppStream 2.0 image builders, each by the workflow that starts one",
            functions={
                "ListImageBuildersFunctionArn": functions.list_image_builders,
                "NotifyOperatorsFunctionArn": functions.notify_operators,
            },
            runs={"StartImageBuilderAliasArn": start},
            distributed_map="ImageBuilder",
        )
        workflows = {"start": start, "stop": stop, "fleet": fleet}
        StatusChanges(
            self,
            "StatusChanges",
            state_machines=[workflow.state_machine for workflow in workflows.values()],
            notify_operators=functions.notify_operators,
            dead_letters=notifications.dead_letters,
        )
        triggers = Triggers(
            self,
            "Triggers",
            workflows=workflows,
            schedules=config.schedules,
            triggers=config.triggers,
            notify_operators=functions.notify_operators,
            dead_letters=notifications.dead_letters,
        )
        Monitoring(
            self,
            "Monitoring",
            start=start.state_machine,
            stop=stop.state_machine,
            fleet=fleet.state_machine,
            functions=functions.all,
            dead_letters=notifications.dead_letters,
            undelivered=triggers.undelivered,
            topic=notifications.topic,
            runbook_url=config.runbook_url,
        )
        self._output(
            "StateMachineAliasArn",
            start.alias.attr_arn,
            "What schedules, people and other workflows start: the version that was deployed last",
        )
        self._output(
            "StateMachineArn",
            start.state_machine.state_machine_arn,
            "Under which the console lists the executions",
        )
        self._output("StopAliasArn", stop.alias.attr_arn, "The same for the workflow that stops")
        self._output("StopStateMachineArn", stop.state_machine.state_machine_arn, "Likewise")
        self._output("FleetAliasArn", fleet.alias.attr_arn, "The same for the workflow that starts many")
        self._output("FleetStateMachineArn", fleet.state_machine.state_machine_arn, "Likewise")
        self._output(
            "OperatorTopicArn", notifications.topic.topic_arn, "Subscribe to it to be told how starts and stops end"
        )

    def _event_bus(self, name_or_arn: str) -> events.IEventBus:
        if name_or_arn.startswith("arn:"):
            return events.EventBus.from_event_bus_arn(self, "EventBus", name_or_arn)
        return events.EventBus.from_event_bus_name(self, "EventBus", name_or_arn)

    def _output(self, name: str, value: str, description: str) -> None:
        CfnOutput(self, name, value=value, description=description)
