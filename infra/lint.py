"""Suppressed findings of cfn-lint: each on the resource it is about, with why it is right there."""

from aws_cdk import CfnResource
from constructs import IConstruct


def depends_on_what_the_cdk_orders(construct: IConstruct) -> None:
    """Suppress W3005 (a dependency that a GetAtt enforces already) on the resource behind a construct.

    The CDK makes functions and state machines depend on their role together with its policies, so that they never run
    before they are permitted to. The policies need the dependency; that it names the role as well costs nothing.
    """
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3005"]}})
