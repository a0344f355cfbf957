"""The Lambda functions behind the workflow's tasks, each with a role and a log group of its own."""

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.lambda_asset import ARCHITECTURE, RUNTIME, lambda_code
from infra.lint import depends_on_what_the_cdk_orders

METRICS_NAMESPACE = "StartImageBuilder"
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
        statements: Sequence[iam.PolicyStatement],
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
            handler=f"{module}.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            role=role,
            log_group=log_group,
            # CPU comes with memory: at 256 MB the import of boto3, most of a cold start, takes about half as long as at
            # the minimum, and a run makes few calls, each of which waits for AppStream rather than computes.
            memory_size=256,
            # Two AppStream calls take 48 seconds at worst (image_builder.appstream.CONFIG).
            timeout=Duration.seconds(60),
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "POWERTOOLS_SERVICE_NAME": "start-image-builder",
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
            },
        )
        depends_on_what_the_cdk_orders(self.function)
        for statement in statements:
            role.add_to_principal_policy(statement)


class Functions(Construct):
    """The three functions of the workflow."""

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        code = lambda_code()
        # The service authorization reference gives DescribeImageBuilders no resource types: it takes only "*".
        describe = iam.PolicyStatement(actions=["appstream:DescribeImageBuilders"], resources=["*"])
        start = iam.PolicyStatement(
            actions=["appstream:StartImageBuilder"],
            resources=[Stack.of(self).format_arn(service="appstream", resource="image-builder", resource_name="*")],
        )
        self.check_request = TaskFunction(
            self,
            "CheckRequest",
            code=code,
            module="check_request",
            description="Holds an execution input against the request contract; makes no AWS call",
            statements=[],
        ).function
        self.start_image_builder = TaskFunction(
            self,
            "StartImageBuilder",
            code=code,
            module="start_image_builder",
            description="Describes an AppStream image builder and starts it when it is STOPPED",
            statements=[describe, start],
        ).function
        self.describe_image_builder = TaskFunction(
            self,
            "DescribeImageBuilder",
            code=code,
            module="describe_image_builder",
            description="Describes an AppStream image builder",
            statements=[describe],
        ).function
