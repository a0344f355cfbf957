"""The stack: functions, notifications and the workflow that joins them."""

from aws_cdk import CfnOutput, Stack
from constructs import Construct

from infra.config import Config
from infra.functions import Functions
from infra.notifications import Notifications
from infra.workflow import Workflow


class StartImageBuilderStack(Stack):
    """Everything that one deployment is. Bound to no account or Region, so that synth needs neither."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Config) -> None:
        super().__init__(
            scope,
            construct_id,
            description="Step Functions workflow that starts an Amazon AppStream 2.0 image builder",
        )
        functions = Functions(self, "Functions")
        notifications = Notifications(self, "Notifications", subscribers=config.subscribers)
        workflow = Workflow(self, "StartImageBuilder", functions=functions, operator_topic=notifications.topic)
        CfnOutput(
            self,
            "StateMachineArn",
            value=workflow.state_machine.state_machine_arn,
            description="What schedules, people and other workflows start",
        )
        CfnOutput(
            self,
            "OperatorTopicArn",
            value=notifications.topic.topic_arn,
            description="Subscribe to it to be told when a start fails",
        )
