"""Suppressed findings of cfn-lint and cdk-nag: each on the resource it is about, with why it is right there."""

from typing import cast

from aws_cdk import Acknowledgment, CfnResource, Stack, Validations
from constructs import IConstruct


def resource_of(construct: IConstruct) -> CfnResource:
    """The CloudFormation resource behind a construct."""
    return cast(CfnResource, construct.node.default_child)


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Suppress one finding of cdk-nag on a construct and what belongs to it.

    Args:
        construct: that the finding is about; of a function or a state machine, its role as well.
        finding: the id that cdk-nag gives, with its pack.
        reason: why it is right there.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def acknowledge_wildcard(construct: IConstruct, resource: str, reason: str) -> None:
    """Suppress IAM5 (a grant with a wildcard) for one resource of a policy.

    Args:
        construct: that the policy belongs to.
        resource: the ARN as the finding gives it, without `arn:PARTITION:` where it begins so.
        reason: why the wildcard is right there.
    """
    arn = resource if resource.startswith(("*", "<")) else f"arn:<AWS::Partition>:{resource}"
    acknowledge(construct, f"AwsSolutions::AwsSolutions-IAM5[Resource::{arn}]", reason)


def logical_id(construct: IConstruct) -> str:
    """What the template, and so a finding, calls the resource behind a construct."""
    return Stack.of(construct).get_logical_id(resource_of(construct))


def depends_on_what_the_cdk_orders(construct: IConstruct) -> None:
    """Suppress W3005 (a dependency that a GetAtt enforces already) on the resource behind a construct.

    The CDK makes functions and state machines depend on their role together with its policies, so that they never run
    before they are permitted to. The policies need the dependency; that it names the role as well costs nothing.
    """
    _ignore(construct, "W3005")


def takes_an_expression_for_a_number(construct: IConstruct) -> None:
    """Suppress E3601 (the definition against cfn-lint's schema) on the state machine behind a construct.

    The schema wants a number for a Map state's MaxConcurrency; with JSONata it may be an expression. Source: AWS Step
    Functions developer guide, Map state in distributed mode. `make lint` checks the definition by asl-validator, too.
    """
    _ignore(construct, "W3005", "E3601")


def has_a_property_that_the_schema_lacks(construct: IConstruct) -> None:
    """Suppress E3002 (a property that is not in the schema) on the resource behind a construct.

    cfn-lint 1.58 does not know an alarm's EvaluationWindow. Source: AWS CloudFormation template reference,
    AWS::CloudWatch::Alarm EvaluationWindow.
    """
    _ignore(construct, "E3002")


def _ignore(construct: IConstruct, *checks: str) -> None:
    resource_of(construct).add_metadata("cfn-lint", {"config": {"ignore_checks": list(checks)}})
