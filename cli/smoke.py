"""`make smoke [NAME=... NOTIFY=yes]`: whether the deployment is fit to be used. Starts no image builder.

With NAME it makes a dry run by the alias, with NOTIFY=yes it sends the operators one test notification.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator

from cli.account import run_command
from cli.deployment import Deployment, deployed, number


def smoke(name: str | None, notify: str | None) -> int:
    """Check the deployment, and print what is wrong with it. Returns: the exit status: 1 where anything is."""
    stack = deployed()
    stack_name, topic = stack.settings.stack_name, stack.output("OperatorTopicArn")
    for workflow in stack.workflows:
        print(f"{workflow.name}: {workflow.alias}, version {number(workflow.deployed)}")
    problems = [*stack.moved(), *subscriptions(stack), *functions(stack)]
    if name is None:
        print("No dry run was made: name an image builder with NAME=...")
    else:
        problems += _dry_run(stack, name)
    if notify:
        stack.client("sns").publish(
            TopicArn=topic,
            Subject=f"Test notification of {stack_name}"[:99],
            Message=f"make smoke sent this test. You get the notifications of the deployment {stack_name}.",
        )
        print("One test notification was sent: check that it arrives.")
    for problem in problems:
        print(problem, file=sys.stderr)
    if not problems:
        print(f"{stack_name} is ready.")
    return min(len(problems), 1)


def subscriptions(stack: Deployment) -> Iterator[str]:
    """Who gets no notification."""
    pages = stack.client("sns").get_paginator("list_subscriptions_by_topic")
    found = {
        (each["Protocol"], each["Endpoint"]): each["SubscriptionArn"]
        for page in pages.paginate(TopicArn=stack.output("OperatorTopicArn"))
        for each in page["Subscriptions"]
    }
    for subscriber in stack.settings.subscribers:
        # CloudFormation restores no subscription that is gone. Source: cloudformation-coverage-roadmap#2548.
        if (subscriber.protocol, subscriber.endpoint) not in found:
            yield (
                f"{subscriber.endpoint} ({subscriber.protocol}) is configured but not subscribed, and gets no "
                "notification: subscribe it to the topic again, or deploy if it is new."
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


def functions(stack: Deployment) -> Iterator[str]:
    """Which function runs on another runtime or architecture than the template says."""
    cloudformation = stack.client("cloudformation")
    template = cloudformation.get_template(StackName=stack.settings.stack_name)["TemplateBody"]["Resources"]
    for logical_id, name in stack.resources.get("AWS::Lambda::Function", {}).items():
        found = stack.client("lambda").get_function_configuration(FunctionName=name)
        actual, expected = (
            " ".join([properties["Runtime"], *properties["Architectures"]])
            for properties in (found, template[logical_id]["Properties"])
        )
        if actual != expected:
            yield f"The function {name} runs on {actual}, not on {expected}: deploy it again."


def _dry_run(stack: Deployment, name: str) -> list[str]:
    execution = stack.stepfunctions.start_execution(
        stateMachineArn=stack.output("StateMachineAliasArn"), input=json.dumps({"Name": name, "DryRun": True})
    )["executionArn"]
    # It ends after two Lambda calls, at the latest with all their retries.
    while (end := stack.stepfunctions.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(1)
    if end["status"] != "SUCCEEDED":
        return [f"The dry run of {name} ended {end['status']} with {end.get('error')}: {end.get('cause')}"]
    found = json.loads(end["output"])
    print(f"Dry run of {name}: {'would' if found['WouldStart'] else 'would not'} start it. {found['Why']}")
    return []


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="make smoke", description=__doc__)
    parser.add_argument("--name", help="an image builder, for a dry run")
    parser.add_argument("--notify", choices=["yes"], help="send one test notification")
    sys.exit(run_command(smoke, **vars(parser.parse_args())))
