"""`make verify`: whether AWS's own interpreter runs the workflows as the tests' does. It starts and changes nothing.

AWS validates each definition, and then runs each state alone, with recorded input, variables and answers of services in
the place of the services: TestState with a mock. It is free of charge. Source: AWS News Blog, Accelerate workflow
development with enhanced local testing in AWS Step Functions.
"""

import copy
import gzip
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import ClientError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.account import CONFIG, connect, run_command
from cli.definition import FLEET, START, STOP, definition
from cli.history import parsed

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

CASES = Path(__file__).parent / "verify_cases.json.gz"
"""Written by tests/workflow/recorder.py."""

MOST_CASES = 300
DEFINITIONS = {"start": START, "stop": STOP, "fleet": FLEET}

_REFUSALS = {"InvalidArn", "InvalidDefinition", "InvalidExecutionInput", "ValidationException"}
"""Of the state itself: a difference. Any other error ends the command."""

Case = dict[str, Any]


def verify() -> int:
    """Validate the definitions and play the cases. Returns: the exit status: 1 where anything differs."""
    session = connect()
    region = str(session.region_name)
    # In adaptive mode boto3 slows down where AWS throttles.
    retries: Any = {"mode": "adaptive", "total_max_attempts": 6}
    # TestState has a host of its own, sync-states; an emulator has one host.
    config = CONFIG.merge(Config(retries=retries, inject_host_prefix="AWS_ENDPOINT_URL" not in os.environ))
    account = session.client("sts", config=config).get_caller_identity()["Account"]
    print(f"AWS account {account}, Region {region}")
    # TestState has 10 a second, after 50 at once. Source: AWS Step Functions developer guide, Service quotas.
    print(f"Validates {len(DEFINITIONS)} definitions and makes {len(recorded())} tests of states, 10 a second.")
    print("Needs states:ValidateStateMachineDefinition and states:TestState on *.")
    print("Free of charge; starts and changes nothing.")
    return check(session.client("stepfunctions", config=config), session.get_partition_for_region(region))


def check(client: "SFNClient", partition: str = "aws") -> int:
    """Validate the definitions, play the cases and print what differs. Returns: the exit status."""
    texts = {name: definition(path).replace("arn:aws:", f"arn:{partition}:") for name, path in DEFINITIONS.items()}
    problems = [problem for name, text in texts.items() for problem in _invalid(client, name, text)]
    states = {name: dict(all_states(json.loads(text)["States"])) for name, text in texts.items()}
    cases = recorded(partition)
    with ThreadPoolExecutor(8) as pool:
        played = pool.map(lambda case: differences(client, case, states[case["machine"]][case["state"]]), cases)
        found = list(track(played, "TestState", total=len(cases), transient=True))
    different = [(case, lines) for case, lines in zip(cases, found, strict=True) if lines]
    wrong = Counter((case["machine"], case["state"]) for case, _ in different)
    table = Table("workflow", "state", "cases", "alike", "different")
    for place, count in Counter((case["machine"], case["state"]) for case in cases).items():
        table.add_row(*place, *map(str, (count, count - wrong[place], wrong[place])))
    Console().print(table)
    for case, lines in different[:3]:
        given = {key: value for key, value in case.items() if key not in ("machine", "state", "answer")}
        print(f"\n{case['machine']}, {case['state']}, with {json.dumps(given)}", *lines, sep="\n  ")
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problems of the definitions; {len(different)} of {len(cases)} cases differ.")
    return int(bool(problems or different))


def recorded(partition: str = "aws") -> list[Case]:
    """The cases, with the ARNs of a partition: those that are recorded name the commercial one."""
    text = gzip.decompress(CASES.read_bytes()).decode().replace("arn:aws:", f"arn:{partition}:")
    cases: list[Case] = json.loads(text)
    return cases


def differences(client: "SFNClient", case: Case, state: dict[str, Any]) -> list[str]:
    """Play one case. Returns: what AWS answers otherwise than the recording has it, in lines."""
    lines = []
    for request, expected in _requests(case, state):
        try:
            response = client.test_state(**request, inspectionLevel="DEBUG")
        except ClientError as error:
            if error.response["Error"]["Code"] not in _REFUSALS:
                raise
            lines.append(str(error))
            continue
        found = _answered(response)
        for answer in (found, expected):
            for name in _random(state) & (answer.get("variables") or {}).keys():
                answer["variables"][name] = type(answer["variables"][name]).__name__
        lines += [
            f"{field}\n    recorded: {json.dumps(value)}\n    AWS:      {json.dumps(found[field])}"
            for field, value in expected.items()
            if found[field] != value
        ]
    return lines


def _invalid(client: "SFNClient", machine: str, text: str) -> list[str]:
    answer = client.validate_state_machine_definition(definition=text, severity="ERROR")
    # Only the result is to be relied on. Source: AWS Step Functions API reference, ValidateStateMachineDefinition.
    if answer["result"] == "OK":
        return []
    return [f"{machine}: {each['message']} ({each.get('location', '')})" for each in answer["diagnostics"]] or [machine]


def all_states(states: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The states of a definition by name, with those of its Map states."""
    for name, state in states.items():
        yield name, state
        yield from all_states(state.get("ItemProcessor", {}).get("States", {}))


def _requests(case: Case, state: dict[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """What to ask TestState for a case, and what it should answer."""
    expected = {"nextState": None} | copy.deepcopy(case["answer"]) | {"cause": parsed(case["answer"].get("cause"))}
    request: dict[str, Any] = {"input": json.dumps(case["input"]), "variables": json.dumps(case["variables"])}
    if state["Type"] == "Wait":
        # A test ends after five minutes: the length of the wait is evaluated in a Pass state.
        length = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": state["Seconds"], "End": True}
        yield {**request, "definition": json.dumps(length)}, {"output": expected.pop("seconds")}
        state = {**state, "Seconds": 0}
    if mock := case.get("mock"):
        request["context"] = json.dumps(case["context"])
        if "error" in mock:
            error = mock["error"]
            request["mock"] = {"errorOutput": {"error": error["Error"], "cause": error["Cause"]}}
            request["stateConfiguration"] = {"retrierRetryCount": case["retries"]}
            if state["Type"] == "Map":
                request["stateConfiguration"]["errorCausedByState"] = state["ItemProcessor"]["StartAt"]
        else:
            # STRICT refuses a Payload or an Output that is no string, and TestState does not parse one that is, as an
            # execution does. Source: boto/boto3#4682.
            request["mock"] = {"result": json.dumps(mock["result"]), "fieldValidationMode": "NONE"}
    yield {**request, "definition": json.dumps({"QueryLanguage": "JSONata", **state})}, expected


def _random(state: dict[str, Any]) -> set[str]:
    """The variables that a state assigns at random: of these, only the type is compared."""
    parts = (state, *state.get("Choices", ()), *state.get("Catch", ()))
    return {name for part in parts for name, value in part.get("Assign", {}).items() if "$random(" in json.dumps(value)}


def _answered(response: Mapping[str, Any]) -> dict[str, Any]:
    """An answer, with the JSON in it parsed."""
    inspected = response.get("inspectionData", {})
    return {
        **{key: response.get(key) for key in ("status", "error", "nextState")},
        **{key: parsed(response.get(key)) for key in ("output", "cause")},
        "variables": parsed(inspected.get("variables", "{}")),
        "afterArguments": parsed(inspected.get("afterArguments")),
        "afterItemSelector": [parsed(item) for item in inspected.get("afterItemSelector", [])],
    }


if __name__ == "__main__":
    sys.exit(run_command(verify))
