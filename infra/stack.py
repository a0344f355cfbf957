"""The stack that joins the constructs."""

from aws_cdk import CfnOutput, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.config import Config
from infra.functions import Functions
from infra.monitoring import Monitoring
from infra.notifications import Notifications
from infra.status_changes import StatusChanges
from infra.workflow import Workflow


class StartImageBuilderStack(Stack):
    """The workflow that starts image builders. Bound to no account or Region, so that synth needs neither."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config) -> None:
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
        workflow = Workflow(self, "StartImageBuilder", functions=functions)
        status_changes = StatusChanges(
            self,
            "StatusChanges",
            state_machine=workflow.state_machine,
            tell_operators=functions.tell_operators,
        )
        Monitoring(
            self,
            "Monitoring",
            state_machine=workflow.state_machine,
            functions=functions.all,
            dead_letters=status_changes.dead_letters,
            topic=notifications.topic,
            runbook_url=config.runbook_url,
        )
        CfnOutput(
            self,
            "StateMachineAliasArn",
            value=workflow.alias.attr_arn,
            description="What schedules, people and other workflows start: the version that was deployed last",
        )
        CfnOutput(
            self,
            "StateMachineArn",
            value=workflow.state_machine.state_machine_arn,
            description="Under which the console lists the executions",
        )
        CfnOutput(
            self,
            "OperatorTopicArn",
            value=notifications.topic.topic_arn,
            description="Subscribe to it to be told how starts end",
        )
