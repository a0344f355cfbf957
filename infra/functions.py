"""The Lambda functions behind the workflow's tasks, each with a role and a log group of its own."""

from typing import cast

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.bundling import ARCHITECTURE, RUNTIME, lambda_code
from infra.config.settings import Settings
from infra.notifications import Notifications
from infra.storage import Storage
from infra.suppressions import DEPENDS_ON_ITS_ROLE, acknowledge, acknowledge_wildcard, ignore

METRICS_NAMESPACE = Aws.STACK_NAME
"""Of the functions' own metrics: two deployments in one account and Region do not mix theirs."""

SERVICE = "start-image-builder"
"""The dimension `service` of every metric, and a key of every log line."""

FUNCTION_TIMEOUT = Duration.seconds(80)
"""Above the limits of the calls to AppStream (lambdas/image_builder/appstream.py), so that the function raises its own
error."""


class Functions(Construct):
    """The functions of the workflows; `all` has them by their modules in lambdas/."""

    def __init__(
        self, scope: Construct, construct_id: str, *, settings: Settings, storage: Storage, notifications: Notifications
    ) -> None:
        super().__init__(scope, construct_id)
        self._code, self._storage, self._builders = lambda_code(), storage, settings.image_builders
        self.all: dict[str, lambda_.Function] = {}
        # The service authorization reference gives these three no resource types: they take only "*".
        describe, read_tags, find_by_tag = (
            iam.PolicyStatement(actions=[action], resources=["*"])
            for action in ("appstream:DescribeImageBuilders", "appstream:ListTagsForResource", "tag:GetResources")
        )
        self._function("validate_request", "Checks an execution input against the request contract; makes no AWS call")
        self._function(
            "start_image_builder",
            "Describes an AppStream image builder and starts it when it is STOPPED",
            describe,
            self._on_image_builders("StartImageBuilder"),
        )
        self._function(
            "stop_image_builder",
            "Describes an AppStream image builder and stops it when it is RUNNING",
            describe,
            read_tags,
            self._on_image_builders("StopImageBuilder"),
        )
        self._function("describe_image_builder", "Describes an AppStream image builder", describe)
        self._function(
            "list_image_builders",
            "Checks a fleet's request, and finds the image builders that have a tag and still exist",
            describe,
            find_by_tag,
        )
        self._function(
            "notify_operators",
            "Notifies the operators of execution results and dead letters",
            no_dead_letters="It has an on-failure destination (infra/status_changes.py), which keeps the error, too.",
            TOPIC_ARN=notifications.topic.topic_arn,
            CHAT=str(settings.chat).lower(),
            RUNBOOK_URL=settings.runbook_url,
        )
        notifications.grant_publish(self.all["notify_operators"])
        for module in ("start_image_builder", "stop_image_builder"):
            for name in self._builders.names:
                acknowledge_wildcard(
                    role_of(self.all[module]),
                    f"appstream:<AWS::Region>:<AWS::AccountId>:image-builder/{name}",
                    "A pattern of the settings (imageBuilders): which image builders this deployment may use.",
                )

    def _function(
        self,
        module: str,
        description: str,
        *statements: iam.PolicyStatement,
        no_dead_letters: str = "Step Functions invokes it synchronously and handles its errors.",
        **environment: str,
    ) -> None:
        """Create the function of a module, which may make the AWS calls of the statements.

        no_dead_letters says why it has no dead-letter queue of its own.
        """
        scope = Construct(self, module.title().replace("_", ""))
        log_group = self._storage.log_group(scope)
        role = iam.Role(
            scope,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"Execution role: {description}",
        )
        # What AWSLambdaBasicExecutionRole grants on every log group, on this one alone.
        log_group.grant_write(role)
        function = self.all[module] = lambda_.Function(
            scope,
            "Function",
            description=description,
            code=self._code,
            handler=f"lambdas.{module}.handler",
            runtime=RUNTIME,
            architecture=ARCHITECTURE,
            role=role,
            log_group=log_group,
            # CPU comes with memory: at 256 MB the imports, most of a cold start, take half as long as at the minimum,
            # and a run makes few calls, each of which waits for AppStream rather than computes.
            memory_size=256,
            timeout=FUNCTION_TIMEOUT,
            tracing=lambda_.Tracing.ACTIVE,
            environment={
                "POWERTOOLS_SERVICE_NAME": SERVICE,
                "POWERTOOLS_METRICS_NAMESPACE": METRICS_NAMESPACE,
                **environment,
            },
            # Executions in flight and earlier versions of the workflows go on with the code that they were deployed
            # with. An account and Region has 300 GB for unzipped code, enough for some ten thousand deployments that
            # change it. Source: AWS Lambda developer guide, Lambda quotas.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN),
        )
        ignore(function, DEPENDS_ON_ITS_ROLE)
        acknowledge(function, "Serverless::Serverless-LambdaDLQ", no_dead_letters)
        for finding in ("AwsSolutions::AwsSolutions-L1", "Serverless::Serverless-LambdaLatestVersion"):
            acknowledge(
                function,
                finding,
                "Python 3.13 is supported until June 2029 (Lambda developer guide, Lambda runtimes), and is the newest "
                "on which the functions can be tested. A test fails once the CI machine has Python 3.14.",
            )
        for statement in statements:
            role.add_to_principal_policy(statement)
        acknowledge_wildcard(
            role,
            "*",
            "X-Ray's PutTraceSegments and PutTelemetryRecords, and DescribeImageBuilders and ListTagsForResource of "
            "AppStream and GetResources of tagging where they are granted, have no resource types in the service "
            "authorization reference and take only *.",
        )

    def _on_image_builders(self, action: str) -> iam.PolicyStatement:
        """An action of AppStream on the configured image builders and no others.

        Source: service authorization reference, Actions, resources, and condition keys for Amazon AppStream 2.0.
        """
        tag = self._builders.tag
        return iam.PolicyStatement(
            actions=[f"appstream:{action}"],
            resources=[
                Stack.of(self).format_arn(service="appstream", resource="image-builder", resource_name=name)
                for name in self._builders.names
            ],
            conditions={"StringEquals": {f"aws:ResourceTag/{tag.key}": tag.value}} if tag else None,
        )


def role_of(function: lambda_.Function) -> iam.IRole:
    """The execution role of one of these functions."""
    return cast(iam.IRole, function.role)
