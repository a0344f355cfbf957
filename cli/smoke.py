"""`make smoke [NAME=... NOTIFY=yes]`: whether the deployment is fit to be used. Starts no image builder.

With NAME it makes a dry run by the alias, with NOTIFY=yes it sends the operators one test notification.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence

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
    problems = [*stack.moved(), *_subscriptions(stack), *_functions(stack)]
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


def _subscriptions(stack: Deployment) -> Iterator[str]:
    """CloudFormation restores no subscription that is gone. Source: cloudformation-coverage-roadmap#2548."""
    pages = stack.client("sns").get_paginator("list_subscriptions_by_topic")
    confirmed = {
        (each["Protocol"], each["Endpoint"]): each["SubscriptionArn"].startswith("arn:")
        for page in pages.paginate(TopicArn=stack.output("OperatorTopicArn"))
        for each in page["Subscriptions"]
    }
    for subscriber in stack.settings.subscribers:
        if (subscriber.protocol, subscriber.endpoint) not in confirmed:
            yield (
                f"{subscriber.endpoint} ({subscriber.protocol}) is configured but not subscribed, and gets no "
                "notification: deploy, or subscribe it to the topic again."
            )
    for (protocol, endpoint), is_confirmed in confirmed.items():
        if not is_confirmed:
            yield (
                f"{endpoint} ({protocol}) has not confirmed its subscription, and gets no notification: it has to open "
                "the link in the mail from AWS Notifications."
            )
    if not any(confirmed.values()):
        yield "The topic of the operators has no confirmed subscription: nobody would be notified."


def _functions(stack: Deployment) -> Iterator[str]:
    """Each function has to be active, on the runtime and the architecture of the deployed template."""
    template = stack.client("cloudformation").get_template(StackName=stack.stack_name)["TemplateBody"]
    for function in stack.of_type("AWS::Lambda::Function"):
        expected = template["Resources"][function.logical_id]["Properties"]
        found = stack.client("lambda").get_function_configuration(FunctionName=function.id)
        is_now = [found["Runtime"], *found["Architectures"]]
        if is_now != [expected["Runtime"], *expected["Architectures"]]:
            yield (
                f"The function {function.id} runs on {' '.join(is_now)}, and {expected['Runtime']} "
                f"{expected['Architectures'][0]} was deployed: deploy it again."
            )
        if found.get("State", "Active") != "Active" or found.get("LastUpdateStatus", "Successful") != "Successful":
            yield f"The function {function.id} is not ready: {found.get('StateReason') or found.get('State')}."


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
