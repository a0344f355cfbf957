"""Who is notified of execution results: the operators' topic, its key, its subscribers, its dead letters."""

from collections.abc import Sequence
from hashlib import sha256

from aws_cdk import Annotations, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.config.settings import Subscriber
from infra.storage import Storage
from infra.suppressions import acknowledge


class Notifications(Construct):
    """The operators' topic, encrypted at rest and in transit, with the configured subscribers.

    Its dead letters: what the function could not publish, or a subscriber did not get.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, subscribers: Sequence[Subscriber], storage: Storage
    ) -> None:
        super().__init__(scope, construct_id)
        # Of its own: the AWS managed key lets no alarm publish, and its policy cannot be changed.
        self._key = kms.Key(
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
            master_key=self._key,
            # SHA-256, which an HTTPS subscriber can check.
            signature_version="2",
        )
        self._let_alarms_publish()
        self.dead_letters = storage.queue(self, "DeadLetters")
        for rule in ("AwsSolutions::AwsSolutions-SQS3", "Serverless::Serverless-SQSRedrivePolicy"):
            acknowledge(self.dead_letters, rule, "It is the last dead-letter queue; an alarm watches it.")
        if not subscribers:
            Annotations.of(self).add_warning_v2(
                "start-image-builder:noSubscribers",
                "Nobody is notified of failed starts: name subscribers in settings.json, or subscribe to the topic",
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
        """Permit a role to publish to the topic, which takes its key as well.

        Source: Amazon SNS developer guide, Managing Amazon SNS encryption keys and costs.
        """
        iam.Grant.add_to_principal(grantee=grantee, actions=["sns:Publish"], resource_arns=[self.topic.topic_arn])
        iam.Grant.add_to_principal(
            grantee=grantee, actions=["kms:Decrypt", "kms:GenerateDataKey"], resource_arns=[self._key.key_arn]
        )

    def _let_alarms_publish(self) -> None:
        """CloudWatch publishes as a service: for the alarms of this account and Region alone.

        Source: Amazon CloudWatch user guide, Notifying users on alarm changes; Amazon SNS developer guide, Enabling
        compatibility between event sources from AWS services and encrypted topics.
        """
        stack = Stack.of(self)
        cloudwatch = iam.ServicePrincipal("cloudwatch.amazonaws.com")
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[cloudwatch],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "ArnLike": {"aws:SourceArn": stack.format_arn(service="cloudwatch", resource="alarm:*")},
                    "StringEquals": {"aws:SourceAccount": stack.account},
                },
            )
        )
        self._key.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsOfThisAccount",
                principals=[cloudwatch],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                # In a key's policy: this key. Without a condition, as AWS documents it: one that CloudWatch does not
                # meet would silence every alarm. Whose alarms may publish, the topic's policy says.
                resources=["*"],
            )
        )
