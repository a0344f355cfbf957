"""The stack that joins the constructs."""

from functools import partial

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.config.settings import Settings
from infra.functions import Functions
from infra.monitoring import Monitoring
from infra.notifications import Notifications
from infra.status_changes import StatusChanges
from infra.storage import Storage
from infra.triggers import Triggers
from infra.workflow import Workflow


class StartImageBuilderStack(Stack):
    """The workflow that starts image builders. Bound to no account or Region, so that synth needs neither."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Step Functions workflow that starts an Amazon AppStream 2.0 image builder",
            tags=settings.tags,
        )
        if settings.permissions_boundary:
            boundary = iam.ManagedPolicy.from_managed_policy_name(self, "Boundary", settings.permissions_boundary)
            iam.PermissionsBoundary.of(self).apply(boundary)
        storage = Storage(self, "Storage", settings=settings)
        notifications = Notifications(self, "Notifications", subscribers=settings.subscribers, storage=storage)
        functions = Functions(self, "Functions", settings=settings, storage=storage, notifications=notifications)
        bus = settings.event_bus
        if not bus.startswith("arn:"):
            bus = self.format_arn(service="events", resource="event-bus", resource_name=bus)
        workflow = partial(Workflow, self, functions=functions, storage=storage)
        shared = ("validate_request", "describe_image_builder", "notify_operators")
        stop = workflow(
            "StopImageBuilder",
            definition="stop_image_builder.asl.json",
            comment="Stops an AppStream 2.0 image builder, at once or after minutes in which it has to stay RUNNING",
            invokes=(*shared, "stop_image_builder"),
        )
        start = workflow(
            "StartImageBuilder",
            definition="start_image_builder.asl.json",
            comment="Starts an AppStream 2.0 image builder and waits until it is RUNNING",
            invokes=(*shared, "start_image_builder"),
            starts=[stop],
            event_bus=bus,
        )
        fleet = workflow(
            "StartFleet",
            definition="start_fleet.asl.json",
            comment="Starts many AppStream 2.0 image builders, each by the workflow that starts one",
            invokes=("list_image_builders", "notify_operators"),
            runs=[start],
            distributed_map="ImageBuilder",
        )
        workflows = {"start": start, "stop": stop, "fleet": fleet}
        StatusChanges(
            self,
            "StatusChanges",
            workflows=workflows.values(),
            notify_operators=functions.all["notify_operators"],
            storage=storage,
            dead_letters=notifications.dead_letters,
        )
        triggers = Triggers(
            self,
            "Triggers",
            workflows=workflows,
            settings=settings,
            storage=storage,
            notify_operators=functions.all["notify_operators"],
            last_resort=notifications.dead_letters,
        )
        Monitoring(
            self,
            "Monitoring",
            state_machines={name: workflow.state_machine for name, workflow in workflows.items()},
            functions=functions.all.values(),
            dead_letters=notifications.dead_letters,
            start_dead_letters=triggers.dead_letters,
            # The second does not depend on the topic and its key.
            actions=[notifications.topic.topic_arn, *filter(None, [settings.second_alarm_action])],
            runbook_url=settings.runbook_url,
        )
        newest = "the version that was deployed last"
        for name, value, description in (
            ("StateMachineAliasArn", start.alias.attr_arn, f"Start executions of this: {newest}"),
            ("StateMachineArn", start.state_machine.state_machine_arn, "The console lists the executions under it"),
            ("StopAliasArn", stop.alias.attr_arn, f"To stop an image builder, start executions of this: {newest}"),
            ("StopStateMachineArn", stop.state_machine.state_machine_arn, "The console lists the stops under it"),
            ("FleetAliasArn", fleet.alias.attr_arn, f"To start many, start executions of this: {newest}"),
            ("FleetStateMachineArn", fleet.state_machine.state_machine_arn, "The console lists the fleets under it"),
            ("OperatorTopicArn", notifications.topic.topic_arn, "Subscribe to it to be notified of failed executions"),
        ):
            CfnOutput(self, name, value=value, description=description)
