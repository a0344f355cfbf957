"""`make smoke [NAME=... NOTIFY=yes]`: whether the deployment is fit to be used. Starts no image builder.

With NAME it makes a dry run by the alias, with NOTIFY=yes it sends the operators one test notification.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cli.deployment import Deployment, deployed, number, run

DRY_RUN_SECONDS = 120
"""Longer than its two Lambda calls take with all their retries."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns: the exit status: 0, or 1 with a sentence for each problem."""
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument("--name", help="an image builder, for a dry run")
    parser.add_argument("--notify", choices=["yes"], help="send one test notification")
    given = parser.parse_args(arguments)
    return run(smoke, given.name, given.notify == "yes")


def smoke(name: str | None, notify: bool) -> int:
    """Check the deployment, and print what is wrong with it."""
    stack = deployed()
    for workflow in stack.workflows:
        print(f"{workflow.name}: {workflow.alias}, version {number(workflow.deployed)}")
    problems = [*stack.moved(), *subscriptions(*_subscribers(stack)), *_functions(stack)]
    if name is None:
        print("No dry run was made: name an image builder with NAME=...")
    else:
        problems += _dry_run(stack, name)
    if notify:
        stack.client("sns").publish(
            TopicArn=stack.output("OperatorTopicArn"),
            Subject=f"Test notification of {stack.stack_name}"[:99],
            Message=f"make smoke sent this test. You get the notifications of the deployment {stack.stack_name}.",
        )
        print("One test notification was sent: check that it arrives.")
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{stack.stack_name} is ready.")
    return min(len(problems), 1)


Subscriber = tuple[str, str]
"""Protocol and endpoint."""


def subscriptions(configured: Sequence[Subscriber], found: Mapping[Subscriber, str]) -> Iterator[str]:
    """Who gets no notification. Args: found: what the topic has, with the ARN of each subscription.

    CloudFormation restores no subscription that is gone. Source: cloudformation-coverage-roadmap#2548.
    """
    for protocol, endpoint in configured:
        if (protocol, endpoint) not in found:
            yield (
                f"{endpoint} ({protocol}) is configured but not subscribed, and gets no notification: subscribe it to "
                "the topic again, or deploy if it is new."
            )
    # An e-mail address or URL that has not confirmed has a word in place of the ARN.
    confirmed = {subscriber for subscriber, arn in found.items() if arn.startswith("arn:")}
    for protocol, endpoint in found.keys() - confirmed:
        yield (
            f"{endpoint} ({protocol}) has not confirmed its subscription, and gets no notification: it has to open the "
            "link in the message from AWS Notifications."
        )
    if not confirmed:
        yield "The topic of the operators has no confirmed subscription: nobody would be notified."


def function(name: str, template: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a function. Args: template: its properties in the template. found: its configuration."""
    expected = [template["Runtime"], *template["Architectures"]]
    actual = [found["Runtime"], *found["Architectures"]]
    if actual != expected:
        yield f"The function {name} runs on {' '.join(actual)}, not on {' '.join(expected)}: deploy it again."
    if found.get("State", "Active") != "Active" or found.get("LastUpdateStatus", "Successful") != "Successful":
        yield f"The function {name} is not ready: {found.get('StateReason') or found.get('LastUpdateStatusReason')}"


def _subscribers(stack: Deployment) -> tuple[list[Subscriber], dict[Subscriber, str]]:
    pages = stack.client("sns").get_paginator("list_subscriptions_by_topic")
    found = {
        (each["Protocol"], each["Endpoint"]): each["SubscriptionArn"]
        for page in pages.paginate(TopicArn=stack.output("OperatorTopicArn"))
        for each in page["Subscriptions"]
    }
    return [(subscriber.protocol, subscriber.endpoint) for subscriber in stack.settings.subscribers], found


def _functions(stack: Deployment) -> Iterator[str]:
    template = stack.client("cloudformation").get_template(StackName=stack.stack_name)["TemplateBody"]["Resources"]
    for resource in stack.of_type("AWS::Lambda::Function"):
        found = stack.client("lambda").get_function_configuration(FunctionName=resource.id)
        yield from function(resource.id, template[resource.logical_id]["Properties"], found)


def _dry_run(stack: Deployment, name: str) -> Iterator[str]:
    (start,) = (workflow for workflow in stack.workflows if workflow.name == "start")
    request = json.dumps({"Name": name, "DryRun": True})
    execution = stack.stepfunctions.start_execution(stateMachineArn=start.alias, input=request)["executionArn"]
    deadline = time.monotonic() + DRY_RUN_SECONDS
    while (end := stack.stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            yield f"The dry run still runs after {DRY_RUN_SECONDS} seconds: see {execution}."
            return
        time.sleep(1)
    if end["status"] == "SUCCEEDED":
        found = json.loads(end["output"])
        print(f"Dry run of {name}: {'would' if found['WouldStart'] else 'would not'} start it. {found['Why']}")
    else:
        yield f"The dry run of {name} ended {end['status']} with {end.get('error')}: {end.get('cause')}"


if __name__ == "__main__":
    sys.exit(main())
