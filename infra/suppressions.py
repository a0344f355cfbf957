"""Suppressed findings of cfn-lint and cdk-nag: each on the resource it is about, with why it is right there."""

from aws_cdk import Acknowledgment, CfnResource, Validations
from constructs import IConstruct


def acknowledge(construct: IConstruct, finding: str, reason: str) -> None:
    """Suppress one finding of cdk-nag on a construct and what belongs to it.

    Args:
        construct: that the finding is about; of a function or a state machine, its role as well.
        finding: the id that cdk-nag gives, with its pack.
        reason: why it is right there.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=finding, reason=reason))


def depends_on_what_the_cdk_orders(construct: IConstruct) -> None:
    """Suppress W3005 (a dependency that a GetAtt enforces already) on the resource behind a construct.

    The CDK makes functions and state machines depend on their role together with its policies, so that they never run
    before they are permitted to. The policies need the dependency; that it names the role as well costs nothing.
    """
    _ignore(construct, "W3005")


def takes_an_expression_for_a_number(construct: IConstruct) -> None:
    """Suppress E3601 (the definition against cfn-lint's schema) on the state machine behind a construct.

    The schema wants a number for a Map state's MaxConcurrency; with JSONata it may be an expression. Source: AWS Step
    Functions developer guide, Map state in distributed mode. `make lint` holds the definition by asl-validator as well.
    """
    _ignore(construct, "W3005", "E3601")


def has_a_property_that_the_schema_lacks(construct: IConstruct) -> None:
    """Suppress E3002 (a property that is not in the schema) on the resource behind a construct.

    cfn-lint 1.58 does not know an alarm's EvaluationWindow. Source: AWS CloudFormation template reference,
    AWS::CloudWatch::Alarm EvaluationWindow.
    """
    _ignore(construct, "E3002")


def _ignore(construct: IConstruct, *checks: str) -> None:
    resource = construct.node.default_child
    assert isinstance(resource, CfnResource)  # nosec B101 # for the type checker
    resource.add_metadata("cfn-lint", {"config": {"ignore_checks": list(checks)}})
