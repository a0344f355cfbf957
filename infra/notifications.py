"""Who is told how starts end: the operators' topic, its key, its subscribers, and what could not be told."""

from collections.abc import Sequence
from hashlib import sha256

from aws_cdk import Annotations, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config.settings import Subscriber
from infra.suppressions import acknowledge


class Notifications(Construct):
    """The operators' topic, encrypted at rest and in transit, with the configured subscribers.

    Attributes:
        key: of the topic.
        topic: whatever is published to it is told.
        dead_letters: what could not be told, whoever could not.
    """

    def __init__(self, scope: Construct, construct_id: str, *, subscribers: Sequence[Subscriber]) -> None:
        super().__init__(scope, construct_id)
        # Of its own: the AWS managed key lets no alarm publish, and its policy cannot be changed.
        self.key = kms.Key(
            self,
            "Key",
            description="Messages to the operators of the image builder starts",
            enable_key_rotation=True,
            # The topic keeps nothing: without it there is nothing left to decrypt.
            removal_policy=RemovalPolicy.DESTROY,
        )
        self.topic = sns.Topic(
            self,
            "OperatorTopic",
            display_name="Image builder starts",
            enforce_ssl=True,
            master_key=self.key,
            # SHA-256, which an HTTPS subscriber can check.
            signature_version="2",
        )
        self._let_alarms_publish()
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
        if not subscribers:
            Annotations.of(self).add_warning_v2(
                "start-image-builder:noSubscribers",
                "Nobody is told of failed starts: name subscribers in settings.json, or subscribe to the topic",
            )
        for subscriber in subscribers:
            sns.Subscription(
                self,
                # The CDK would make one id of two endpoints that differ in / and -- only.
                f"Subscriber-{subscriber.protocol}-{sha256(subscriber.endpoint.encode()).hexdigest()[:16]}",
                topic=self.topic,
                protocol=sns.SubscriptionProtocol[subscriber.protocol.upper()],
                endpoint=subscriber.endpoint,
                dead_letter_queue=self.dead_letters,
            )

    def grant_publish(self, grantee: iam.IGrantable) -> None:
        """Let a role publish to the topic, which takes its key as well."""
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(actions=["sns:Publish"], resources=[self.topic.topic_arn])
        )
        # Source: Amazon SNS developer guide, Managing Amazon SNS encryption keys and costs.
        grantee.grant_principal.add_to_principal_policy(
            iam.PolicyStatement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[self.key.key_arn])
        )

    def _let_alarms_publish(self) -> None:
        """CloudWatch publishes as a service: for the alarms of this account and Region alone.

        Source: Amazon CloudWatch user guide, Notifying users on alarm changes; Amazon SNS developer guide, Enabling
        compatibility between event sources from AWS services and encrypted topics.
        """
        stack = Stack.of(self)
        alarms = stack.format_arn(service="cloudwatch", resource="alarm:*")
        cloudwatch = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[cloudwatch],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "ArnLike": {"aws:SourceArn": alarms},
                    "StringEquals": {"aws:SourceAccount": stack.account},
                },
            )
        )
        self.key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[cloudwatch],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                # In a key's policy: this key. Without a condition, as AWS documents it: one that CloudWatch does not
                # meet would silence every alarm. Whose alarms may publish, the topic's policy says.
                resources=["*"],
            )
        )
