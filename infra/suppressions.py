"""Suppressed findings of cfn-lint and cdk-nag: each on the resource it is about, with why it is right there."""

from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct


def resource_of(construct: IConstruct) -> CfnResource:
    """The CloudFormation resource behind a construct."""
    return cast(CfnResource, construct.node.default_child)


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Suppress a finding (pack and id) of cdk-nag on a construct and what belongs to it, such as a function's role."""
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def acknowledge_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Suppress IAM5 (a grant with a wildcard) for one ARN, as the finding gives it after `arn:PARTITION:`."""
    arn = resource if resource.startswith(("*", "<")) else f"arn:<AWS::Partition>:{resource}"
    acknowledge(construct, f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn}]", reason)


def logical_id(construct: IConstruct) -> str:
    """What the template, and so a finding, calls the resource behind a construct."""
    return Stack.of(construct).get_logical_id(resource_of(construct))


DEPENDS_ON_ITS_ROLE = "W3005"
"""A dependency that a GetAtt enforces already. The CDK makes functions and state machines depend on their role together
with its policies, so that they never run before they are permitted to; that it names the role as well costs nothing."""

EXPRESSION_FOR_A_NUMBER = "E3601"
"""The definition against cfn-lint's schema, which wants a number for a Map state's MaxConcurrency. With JSONata it may
be an expression. Source: AWS Step Functions developer guide, Map state in distributed mode. asl-validator checks it."""

PROPERTY_NOT_IN_SCHEMA = "E3002"
"""cfn-lint 1.58 does not know an alarm's EvaluationWindow. Source: AWS CloudFormation template reference,
AWS::CloudWatch::Alarm."""


def ignore(construct: IConstruct, *checks: str) -> None:
    """Suppress checks of cfn-lint, of those above, on the resource behind a construct."""
    resource_of(construct).add_metadata("cfn-lint", {"config": {"ignore_checks": list(checks)}})
