"""The Lambda functions behind the workflow's tasks, each with a role and a log group of its own."""

from collections.abc import Mapping, Sequence

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.bundling import ARCHITECTURE, RUNTIME, lambda_code
from infra.config.settings import ImageBuilders, Settings
from infra.notifications import Notifications
from infra.suppressions import acknowledge, depends_on_what_the_cdk_orders

METRICS_NAMESPACE = Aws.STACK_NAME
"""Of the functions' own metrics: two deployments in one account and Region do not mix theirs."""

SERVICE = "start-image-builder"
"""The dimension `service` of every metric, and a key of every log line."""

FUNCTION_TIMEOUT = Duration.seconds(80)
"""Three AppStream calls, which a stop makes, take 72 seconds at worst (image_builder.appstream.CONFIG)."""

LOG_RETENTION = logs.RetentionDays.THREE_MONTHS
"""Long enough to look into a start of the last quarter; Step Functions itself keeps histories for 90 days."""


class TaskFunction(Construct):
    """One Lambda function that runs a task of the workflow."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        code: lambda_.Code,
        module: str,
        description: str,
        statements: Sequence[iam.PolicyStatement] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Args: module: the module in lambdas/ that holds `handler`. statements: the AWS calls it may make."""
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(self, "LogGroup", retention=LOG_RETENTION, removal_policy=RemovalPolicy.DESTROY)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Execution role: {description}",
        )
        # What AWSLambdaBasicExecutionRole grants on every log group, on this one alone.
        log_group.grant_write(role)
        self.function = lambda_.Function(
            self,
            "Function",
            description=description,
            code=code,
            handler=f"lambdas.{module}.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            role=role,
            log_group=log_group,
            # CPU comes with memory: at 256 MB the import of botocore, most of a cold start, takes half as long as at
            # the minimum, and a run makes few calls, each of which waits for AppStream rather than computes.
            memory_size=256,
            timeout=FUNCTION_TIMEOUT,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "POWERTOOLS_SERVICE_NAME": SERVICE,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                **(environment or {}),
            },
        )
        depends_on_what_the_cdk_orders(self.function)
        for finding in ("AwsSolutions::AwsSolutions-L1", "Serverless::Serverless-LambdaLatestVersion"):
            acknowledge(
                self.function,
                finding,
                "Python 3.13 is supported until June 2029 (Lambda developer guide, Lambda runtimes), and is the newest "
                "on which the functions can be tested. A test fails once the CI machine has Python 3.14.",
            )
        for statement in statements:
            role.add_to_principal_policy(statement)
        acknowledge(
            role,
            "AwsSolutions::AwsSolutions-IAM5[Resource::*]",
            "X-Ray's PutTraceSegments and PutTelemetryRecords, and DescribeImageBuilders and ListTagsForResource of "
            "AppStream and GetResources of tagging where they are granted, have no resource types in the service "
            "authorization reference and take only *.",
        )


class Functions(Construct):
    """The functions of the workflow."""

    def __init__(self, scope: Construct, construct_id: str, *, config: Settings, notifications: Notifications) -> None:
        super().__init__(scope, construct_id)
        code = lambda_code()
        # The service authorization reference gives these two no resource types: they take only "*".
        describe = iam.PolicyStatement(actions=["appstream:DescribeImageBuilders"], resources=["*"])
        read_tags = iam.PolicyStatement(actions=["appstream:ListTagsForResource"], resources=["*"])
        self.validate_request = TaskFunction(
            self,
            "ValidateRequest",
            code=code,
            module="validate_request",
            description="Holds an execution input against the request contract; makes no AWS call",
        ).function
        self.start_image_builder = TaskFunction(
            self,
            "StartImageBuilder",
            code=code,
            module="start_image_builder",
            description="Describes an AppStream image builder and starts it when it is STOPPED",
            statements=[describe, _on_image_builders(self, "StartImageBuilder", config.image_builders)],
        ).function
        self.stop_image_builder = TaskFunction(
            self,
            "StopImageBuilder",
            code=code,
            module="stop_image_builder",
            description="Describes an AppStream image builder and stops it when it is RUNNING",
            statements=[
                describe,
                read_tags,
                _on_image_builders(self, "StopImageBuilder", config.image_builders),
            ],
        ).function
        self.describe_image_builder = TaskFunction(
            self,
            "DescribeImageBuilder",
            code=code,
            module="describe_image_builder",
            description="Describes an AppStream image builder",
            statements=[describe],
        ).function
        self.list_image_builders = TaskFunction(
            self,
            "ListImageBuilders",
            code=code,
            module="list_image_builders",
            description="Holds a fleet's request against its contract, and finds the image builders that carry a tag",
            # Without resource types in the service authorization reference, as the two above.
            statements=[iam.PolicyStatement(actions=["tag:GetResources"], resources=["*"])],
        ).function
        self.notify_operators = TaskFunction(
            self,
            "NotifyOperators",
            code=code,
            module="notify_operators",
            description="Tells the operators how a start ended",
            environment={
                "TOPIC_ARN": notifications.topic.topic_arn,
                "CHAT": str(config.chat).lower(),
                "RUNBOOK_URL": config.runbook_url,
            },
        ).function
        for function in (self.start_image_builder, self.stop_image_builder):
            assert function.role  # nosec B101 # for the type checker
            for image_builder in [name for name in config.image_builders.names if "*" in name]:
                acknowledge(
                    function.role,
                    "AwsSolutions::AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:appstream:<AWS::Region>:"
                    f"<AWS::AccountId>:image-builder/{image_builder}]",
                    "A pattern of the configuration (imageBuilders): which image builders this deployment may touch.",
                )
        self.synchronous = (
            self.validate_request,
            self.start_image_builder,
            self.stop_image_builder,
            self.describe_image_builder,
            self.list_image_builders,
        )
        for function in self.synchronous:
            acknowledge(
                function,
                "Serverless::Serverless-LambdaDLQ",
                "Step Functions invokes it synchronously and handles its errors; Lambda's dead letters are for "
                "asynchronous invocations.",
            )
        acknowledge(
            self.notify_operators,
            "Serverless::Serverless-LambdaDLQ",
            "It has an on-failure destination (infra/status_changes.py), which keeps the error beside the event.",
        )
        notifications.grant_publish(self.notify_operators)
        self.all = (*self.synchronous, self.notify_operators)


def _on_image_builders(scope: Construct, action: str, image_builders: ImageBuilders) -> iam.PolicyStatement:
    """An action of AppStream on the configured image builders and no others.

    Source: service authorization reference, Actions, resources, and condition keys for Amazon AppStream 2.0.
    """
    tag = image_builders.tag
    return iam.PolicyStatement(
        actions=[f"appstream:{action}"],
        resources=[
            Stack.of(scope).format_arn(service="appstream", resource="image-builder", resource_name=name)
            for name in image_builders.names
        ],
        conditions={"StringEquals": {f"aws:ResourceTag/{tag.key}": tag.value}} if tag else None,
    )
