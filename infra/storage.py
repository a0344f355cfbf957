"""Where the deployment keeps what it writes: log groups and queues, encrypted and kept as the settings say."""

from typing import cast

from aws_cdk import ArnFormat, Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config.settings import Settings
from infra.suppressions import resource_of

VENDED_LOGS = f"/aws/vendedlogs/states/{Aws.STACK_NAME}"
"""The prefix that Step Functions recommends: delivery to it needs no growing resource policy. With the stack's name,
which is unique in an account and Region, a second deployment fits beside the first."""


class Storage(Construct):
    """Creates log groups and queues, and grants what it takes to use them."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings) -> None:
        super().__init__(scope, construct_id)
        self._retention_days = settings.log_retention_days
        self._log_removal = RemovalPolicy.RETAIN if settings.keep_logs else RemovalPolicy.DESTROY
        # Without one: the keys that CloudWatch Logs and SQS own.
        self._key: kms.IKey | None = None
        if settings.encryption_key is True:
            # Without the key, kept logs could not be read.
            self._key = kms.Key(
                self,
                "Key",
                description="Encrypts log groups and queues",
                enable_key_rotation=True,
                removal_policy=self._log_removal,
            )
        elif settings.encryption_key:
            self._key = kms.Key.from_key_arn(self, "Key", settings.encryption_key)
        if self._key:
            self._permit_services(self._key)

    def log_group(self, scope: Construct, name: str | None = None) -> logs.LogGroup:
        """Create the log group of a construct. Args: name: None: CloudFormation gives it one."""
        group = logs.LogGroup(
            scope, "LogGroup", log_group_name=name, encryption_key=self._key, removal_policy=self._log_removal
        )
        # The CDK's own property takes an enumeration in place of days.
        cast(logs.CfnLogGroup, resource_of(group)).retention_in_days = self._retention_days
        return group

    def queue(
        self,
        scope: Construct,
        construct_id: str,
        *,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
    ) -> sqs.Queue:
        """Create a queue that keeps its messages for 14 days, the longest that SQS allows."""
        return sqs.Queue(
            scope,
            construct_id,
            # Without the setting, SQS's own key: another is one more thing that can stop the last resort from working.
            encryption=sqs.QueueEncryption.KMS if self._key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=self._key,
            enforce_ssl=True,
            retention_period=Duration.days(14),
            removal_policy=RemovalPolicy.DESTROY,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
        )

    def grant_send(self, role: iam.IGrantable, queue: sqs.Queue) -> None:
        """Permit sending messages. By hand: the CDK's grant permits reading the queue's attributes as well."""
        self._grant(role, queue, ["sqs:SendMessage"], ["kms:Decrypt", "kms:GenerateDataKey"])

    def grant_consume(self, role: iam.IGrantable, queue: sqs.Queue) -> None:
        """Permit what an event source mapping does, and no more.

        Source: AWS Lambda developer guide, Creating and configuring an Amazon SQS event source mapping, permissions.
        """
        actions = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
        self._grant(role, queue, actions, ["kms:Decrypt"])

    def _grant(self, role: iam.IGrantable, queue: sqs.Queue, actions: list[str], key_actions: list[str]) -> None:
        # Source of the actions on the key: Amazon SQS developer guide, Key management, Configuring AWS KMS permissions.
        iam.Grant.add_to_principal(grantee=role, actions=actions, resource_arns=[queue.queue_arn])
        if self._key:
            iam.Grant.add_to_principal(grantee=role, actions=key_actions, resource_arns=[self._key.key_arn])

    def _permit_services(self, key: kms.IKey) -> None:
        """Permit what writes as a service: CloudWatch Logs, for the log groups of this stack; EventBridge and SNS.

        Sources: Amazon CloudWatch Logs user guide, Encrypt log data in CloudWatch Logs using AWS KMS; Amazon SQS
        developer guide, Key management, Configuring AWS KMS permissions for AWS services.
        """
        groups = [
            Stack.of(self).format_arn(
                service="logs", resource="log-group", resource_name=name, arn_format=ArnFormat.COLON_RESOURCE_NAME
            )
            for name in (f"{Aws.STACK_NAME}-*", f"{VENDED_LOGS}/*")
        ]
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{Aws.REGION}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                # In a key's policy: this key.
                resources=["*"],
                conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}},
            )
        )
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"{service}.amazonaws.com") for service in ("events", "sns")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                # Without a condition, as AWS documents it: one that a service does not meet would lose dead letters.
                # Who may send, the queues' policies say.
                resources=["*"],
            )
        )
