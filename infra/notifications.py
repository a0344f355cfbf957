"""Who is told when a start fails: the topic that the workflow's notify branch publishes to."""

from collections.abc import Sequence

from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from constructs import Construct

from infra.config import Subscriber


class Notifications(Construct):
    """The operators' topic, encrypted at rest and in transit, with the configured subscribers."""

    def __init__(self, scope: Construct, construct_id: str, *, subscribers: Sequence[Subscriber]) -> None:
        super().__init__(scope, construct_id)
        self.topic = sns.Topic(
            self,
            "OperatorTopic",
            display_name="Image builder starts",
            enforce_ssl=True,
            # The AWS managed key: its policy lets the account's own principals publish through SNS without a kms grant.
            master_key=kms.Alias.from_alias_name(self, "SnsKey", "alias/aws/sns"),
        )
        for subscriber in subscribers:
            sns.Subscription(
                self,
                f"Subscriber-{subscriber.protocol}-{subscriber.endpoint}",
                topic=self.topic,
                protocol=sns.SubscriptionProtocol[subscriber.protocol.upper()],
                endpoint=subscriber.endpoint,
            )
