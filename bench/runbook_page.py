"""Writes docs/runbook.md: a section for every Error and every alarm, from the workflow, the advice table and this file.

`make docs` writes it; tests hold that the page is what this writes, and that no Error and no alarm is missing.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parent.parent
PAGE = PROJECT / "docs" / "runbook.md"
START = PROJECT / "statemachine" / "start_image_builder.asl.json"
STOP = PROJECT / "statemachine" / "stop_image_builder.asl.json"
FLEET = PROJECT / "statemachine" / "start_fleet.asl.json"
ADVICE = PROJECT / "lambdas" / "image_builder" / "advice.json"

INTRODUCTION = """\
# Runbook: what ended a run, what an alarm means, and what to do

<!-- Written by `make docs` from the workflow, lambdas/image_builder/advice.json and docs/runbook_page.py. -->

A run that does not bring its image builder to RUNNING does not end SUCCEEDED, and the operators get one message about
it. Its `Error` is one of those below; its `Cause` is a JSON text with `Name`, `Route`, `Message`, `Advice`, `OperatorsNotified`
and, once the builder was seen, `ImageBuilder`. The Route says whose turn it is:

- **fail**: whoever started the run; the request has to change.
- **notify**: an operator.
- **uncaught**: an operator; something ended the run that no branch of the workflow can catch.

An Error that has no section here is one that nobody foresaw: it takes the route notify. Begin like this for any of them:

1. Open the execution by the link in the message. The graph shows the last state, the event list what led to it.
2. See how the image builder is now: `aws appstream describe-image-builders --names NAME`. If it is RUNNING or PENDING,
   somebody else may have started it since; it is billed while it runs.
3. Find the log lines of the run in CloudWatch Logs Insights, over the log groups of the stack:
   `filter execution = "ARN" | sort @timestamp`.
4. When the cause is mended, start a new execution with the same input: a run is safe to repeat, as it looks first. A
   *redrive* of a run that ended in "Fail execution" only fails again, without a call and without a second message; of a
   run that was stopped or timed out it goes on where it was, and is as safe as a new one; but it does not know whose start
   runs by then, and leaves no guard. Do not redrive a fleet: start it anew.
"""

MORE: Mapping[str, str] = {
    "InvalidRequest": """\
The Message names every field and its rule. The request is in the execution's input; a schedule or an event rule that
carries it has to be mended where it is defined, or it fails every night. No AWS call was made.""",
    "ValidationException": """\
The request kept the contract, yet AppStream refused a value: most likely an `AppstreamAgentVersion` that does not exist.
`LATEST` always does; the AppStream release notes list the others.""",
    "ResourceNotFoundException": """\
`aws appstream describe-image-builders --query 'ImageBuilders[].Name'` lists what there is in this Region. Names are
case-sensitive. A builder that was deleted and created anew under another name needs a new request.""",
    "IncompatibleImageException": """\
The image or the agent version does not fit the builder. Try without `AppstreamAgentVersion`, or with `LATEST`.""",
    "InvalidAccountStatusException": """\
Nothing in this deployment can mend it. Every start in the account will fail until AWS Support has.""",
    "AccessDeniedException": """\
The message of AppStream names the action and often the policy. Compare `imageBuilders` in the deployment's configuration
with the builder: a name or a tag outside it is refused on purpose. Then look for a service control policy or a
permissions boundary that denies `appstream:StartImageBuilder` or `appstream:DescribeImageBuilders`.""",
    "ConcurrentModificationException": """\
The workflow tried five times over about 20 minutes. CloudTrail (event source `appstream.amazonaws.com`) shows who
creates an image from the builder, stops it, or starts it again and again.""",
    "ThrottlingException": """\
The workflow tried five times over about 20 minutes, each time again within the minute. CloudTrail shows who calls AppStream
so often. A fleet spreads its calls: start the others within it, too.""",
    "ResourceNotAvailableException": """\
The workflow tried five times over about 20 minutes. Compare the builder's `ImageArn` with
`aws appstream describe-images`: an image that AWS has deprecated never comes back, capacity does.""",
    "ImageBuilderFailed": """\
Go through the table of codes at the end of this page. A builder that is FAILED cannot be started or mended: create it
anew from its image, then delete it. One that fell back to STOPPED five times was stopped by someone, or its start fails:
`ImageBuilderErrors` says why.""",
    "ImageBuilderDeleting": """\
Somebody deletes it: CloudTrail shows who. A schedule that still names it will fail every night with
ResourceNotFoundException.""",
    "ImageBuilderStartTimedOut": """\
Starts take 5 to 25 minutes. The start was not undone: the builder may come up unseen, and is then billed until somebody
stops it, unless the request had `StopOnFailure`: then the message names the execution that stops it as soon as it comes up;
stop that one first if the builder is wanted after all. If starts are this slow as a rule, give a larger `TimeoutMinutes`.""",
    "AutoStopNotScheduled": """\
What failed is the start of the execution that was to stop the builder: later, where the start itself went well, or as soon as
it comes up, where the run had given up on it (the message says for what). The event list shows the error: most likely a
quota, or a role that lost `states:StartExecution`; `ExecutionAlreadyExists` is an earlier stop of the same name. Leave one by
hand:
`aws stepfunctions start-execution --state-machine-arn STOP_ALIAS_ARN --input '{"Name": "NAME", "StopAfterMinutes": 60}'` for
one that is RUNNING; with `'{"Name": "NAME", "TimeoutMinutes": 720}'` for one that has yet to come up, and is stopped then.""",
    "FleetStartIncomplete": """\
The Cause lists those that failed, the first 120 of them; `make report EXECUTION=arn` shows all, with what happened. `Index` is the place in the list: the run of that one is named like the fleet's execution, with `-` and the
index. `NoResult` is a run of which nothing is known: open the Map Run in the console. A fleet is safe to repeat as a
whole: what runs is left alone.""",
    "TaggingUnavailable": """\
The image builders that carry the tag could not be listed: the Message is that of the Resource Groups Tagging API. Nothing
was started. `aws resourcegroupstaggingapi get-resources --resource-type-filters appstream:image-builder` asks the same.""",
    "ImageBuilderStopTimedOut": """\
The builder was not STOPPED `TimeoutMinutes` after it was to be stopped. See its state: RUNNING, and AppStream refused the
stop (the message names the last error) or somebody started it again; in between, and AppStream takes its time. It is
billed until it is STOPPED.""",
}

PASSING = """\
The workflow tried the task five times within about two minutes. If the message is AppStream's or Lambda's, look at the
AWS Health Dashboard and at the account's quotas, and start again later. `Runtime.ExitError`, `Runtime.OutOfMemory` and
`Sandbox.Timedout` are about the function: its log group tells more. `UnexpectedResponse` means that AppStream answered
without the builder or its State. `StatesTimeout` is Step Functions' own `States.Timeout`, under a name with which a
workflow may end: a function did not answer in time."""

UNCAUGHT = {
    "States.Timeout": """\
The execution ran into the state machine's own limit of 60 hours, five times the longest `TimeoutMinutes`. That points to
throttled state transitions or to functions that hang: see the event list for long gaps.""",
    "Aborted": """\
Somebody called StopExecution, in the console or by the API: CloudTrail shows who. A builder whose start was under way
goes on starting.""",
    "States.QueryEvaluationError": """\
An expression of the workflow met a value that it was not written for. Nothing can catch that. The event list shows the
expression and the value: report both to whoever keeps this workflow.""",
    "States.Runtime": """\
Step Functions could not process the execution: most often after a change of the definition by hand. Deploy again.""",
    "States.DataLimitExceeded": """\
A state had more than 256 KiB to hand on. The largest thing that the workflow carries is AppStream's description of one
image builder: see the event list for what has grown.""",
    "Unknown": """\
Step Functions gave neither Error nor Cause. See the event list.""",
}

ALARMS: Mapping[str, str] = {
    "ExecutionsFailing": """\
Three or more executions failed within an hour. Each has a message of its own; compare their Errors. One Error in many
runs: the account, the deployment or AppStream. Many Errors: most likely one schedule with many requests that are wrong.""",
    "ExecutionsTimedOut": """\
See [States.Timeout](#States.Timeout).""",
    "ExecutionsThrottled": """\
The account and Region used up its StateTransition quota: executions wait. See in Service Quotas (AWS Step Functions)
which other state machine is busy, and ask for more if that is as it should be. Nothing is lost.""",
    "FailuresNotNotified": """\
More executions ended without success than messages were published within an hour. List them, and compare with the
messages: `aws stepfunctions list-executions --state-machine-arn ARN --status-filter FAILED`, then `TIMED_OUT`, `ABORTED`.
An hour is one of the clock: a run that ended within seconds of a full hour, or a minute or two after which its event was
told, can be counted in the next one; then the alarm is back to OK after that. A run that was told and is redriven ends
again without a second message. Otherwise look at [DeadLetters](#DeadLetters) and at the errors of the function NotifyOperators.""",
    "FunctionErrors": """\
The functions failed ten or more times in 15 minutes. The dashboard shows which errors AppStream answers; errors that are
not there are the functions' own, and their log groups show the stack trace. The workflow retries what can pass.""",
    "FunctionThrottles": """\
The account's concurrent Lambda executions are used up, or a function has a reserved concurrency that is too small. The
workflow retries for about two minutes. See in the Lambda console which function holds the concurrency.""",
    "DeadLetters": """\
The message in the queue is the status change event of a run that nobody was told of: `detail.executionArn` names it, below
`requestPayload` where the function failed. A text for people, with `"Type": "Notification"`, is what one
subscriber did not get, while others may have: a web hook that is down, or a queue whose policy or whose key does not let the
topic in (`sns.amazonaws.com` needs `kms:GenerateDataKey*` and `kms:Decrypt` on the key). Anything else is a start that a
schedule or an event could not deliver (its attributes name which, and why): nothing was started. `aws stepfunctions describe-execution --execution-arn ARN` says what happened:
act on that first. Then find out why the function NotifyOperators could not run or publish (its log group; in the message
`responsePayload`, or the attributes ERROR_CODE and ERROR_MESSAGE), and delete the message: the alarm goes back to OK.
Messages stay 14 days.""",
    "StartsNotDelivered": """\
A schedule or an event could not start its workflow within an hour: nothing was started. Each such start is told in a message
with the request and what AWS said: most likely the role was changed, or the state machine removed. Start it by hand if it
is still wanted.

The alarm speaks when such starts wait in their queue, because the function NotifyOperators does not take them: see its event
source mapping in the Lambda console (disabled?), and [FunctionThrottles](#FunctionThrottles). What it took and could not
tell is a [dead letter](#DeadLetters).""",
}


def page() -> str:
    """The text of the page."""
    states, stop, fleet = (json.loads(source.read_text("utf-8"))["States"] for source in (START, STOP, FLEET))
    return "\n".join(
        [
            INTRODUCTION,
            "## Errors of a start\n",
            *_ends(states),
            _section(_retried(states), "notify", "Read the message, and start again later.", PASSING),
            _guard_not_left(states),
            "## Errors of a stop\n",
            "A stop, or a guard, ends with the errors above as well: they mean the same, and a builder that runs goes on "
            "running and being billed.\n",
            *_of_choice(stop["Evaluate builder state"]),
            "## Errors of a fleet\n",
            "A fleet ends with `InvalidRequest` as well, where its own request is wrong: nothing was started then. What fails "
            "one of its image builders is an Error of that one's run, above.\n",
            *_of_choice(fleet["Evaluate results"]),
            _of(["TaggingUnavailable"], "notify", [fleet["Read error"]["Assign"]["failure"]["Advice"]]),
            "## Ends that the workflow cannot catch\n",
            *(_section([error], "uncaught", "", text) for error, text in UNCAUGHT.items()),
            "## Alarms\n",
            *(f'### <a id="{name}"></a>{name}\n\n{text}\n' for name, text in ALARMS.items()),
            "## Retried or looked at again first\n",
            _table(["Error", "What happens"], _on_the_way(states)),
            "## What AppStream reports of a builder, and what to do\n",
            "The Message of `ImageBuilderFailed` carries every code that AppStream reports, the Advice a sentence for each.\n",
            _table(["Code", "Advice", "Source"], _codes()),
        ]
    )


def _ends(states: dict[str, Any]) -> Iterator[str]:
    for rule in states["Route error"]["Choices"]:
        assigned = rule["Assign"].get("failure", "")
        if assigned:
            advice = re.search(r"'Advice': '([^']*)'", assigned)
            route = "fail" if "'Route': 'fail'" in assigned else "notify"
            yield _of(_codes_of(rule), route, [advice.group(1) if advice else ""])
    yield from _of_choice(states["Evaluate builder state"])


def _of_choice(state: dict[str, Any]) -> Iterator[str]:
    failures: dict[str, list[dict[str, Any]]] = {}
    for rule in state["Choices"]:
        failure = rule.get("Assign", {}).get("failure")
        if failure:
            failures.setdefault(failure["Error"], []).append(failure)
    for error, ends in failures.items():
        yield _of([error], ends[0]["Route"], [_plain(end["Advice"]) for end in ends])


def _guard_not_left(states: dict[str, Any]) -> str:
    failure = states["Schedule auto-stop"]["Catch"][0]["Assign"]["failure"]
    return _of([failure["Error"]], failure["Route"], [failure["Advice"]])


def _of(errors: list[str], route: str, advice: list[str]) -> str:
    return _section(
        errors, route, " ".join(filter(None, advice)), next(MORE[error] for error in errors if error in MORE)
    )


def _section(errors: list[str], route: str, advice: str, more: str) -> str:
    anchors = "".join(f'<a id="{error}"></a>' for error in errors)
    first, *others = errors
    return "\n\n".join(
        [
            f"### {anchors}{first}",
            *([f"Also: {', '.join(f'`{error}`' for error in others)}."] if others else []),
            f"Route **{route}**. {advice}".strip(),
            more + "\n",
        ]
    )


def _retried(states: dict[str, Any]) -> list[str]:
    elsewhere = [code for rule in _error_rules(states) for code in _codes_of(rule)]
    retried = [error for retrier in states["Start image builder"]["Retry"] for error in retrier["ErrorEquals"]]
    return [error.replace("States.", "States") for error in retried if error not in elsewhere]


def _error_rules(states: dict[str, Any]) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = states["Route error"]["Choices"]
    return rules


def _on_the_way(states: dict[str, Any]) -> Iterator[list[str]]:
    for rule in _error_rules(states):
        if "failure" not in rule["Assign"]:
            yield [", ".join(f"`{error}`" for error in _codes_of(rule)), rule["Comment"]]
    for retrier in states["Start image builder"]["Retry"]:
        errors = ", ".join(f"`{error}`" for error in retrier["ErrorEquals"])
        seconds = [retrier["IntervalSeconds"] * retrier["BackoffRate"] ** n for n in range(retrier["MaxAttempts"])]
        pauses = ", ".join(str(min(second, retrier["MaxDelaySeconds"])) for second in seconds)
        yield [errors, f"Retry of the task: up to {retrier['MaxAttempts']} times, each after 0 to {pauses} seconds."]


def _codes() -> Iterator[list[str]]:
    for member, codes in json.loads(ADVICE.read_text("utf-8")).items():
        for code, entry in codes.items():
            yield [f"`{code}` ({member})", entry["Advice"], f"[AWS]({entry['Source']})"]


def _codes_of(rule: dict[str, Any]) -> list[str]:
    found: list[str] = re.findall(r"'([A-Z]\w+)'", rule["Condition"])
    return found


def _plain(text: str) -> str:
    """The words of an advice that is put together: what stands between quotes in the expression."""
    return text if not text.startswith("{%") else "".join(re.findall(r"'([^']*)'", text)).strip()


def _table(head: list[str], rows: Iterator[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"
