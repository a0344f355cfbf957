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
from botocore.exceptions import ClientError, EndpointConnectionError
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli.account import AccountError, connect
from cli.definition import FLEET, START, STOP, definition
from cli.deployment import run

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

CASES = Path(__file__).parent / "verify_cases.json.gz"
"""Written by tests/workflow/recorder.py."""

MOST_CASES = 300
SHOWN_IN_FULL = 3
AT_ONCE = 8
TESTS_A_SECOND = 10
"""By TestState, after 50 at once; ValidateStateMachineDefinition has 1 after 100. Source: AWS Step Functions developer
guide, Service quotas."""
DEFINITIONS = {"start": START, "stop": STOP, "fleet": FLEET}

_REFUSALS = {"InvalidArn", "InvalidDefinition", "InvalidExecutionInput", "ValidationException"}
"""Of the state itself: a difference. Any other error ends the command."""

_NONE = object()

Case = dict[str, Any]


def main() -> int:
    """Returns: the exit status: 0, or 1 where anything differs or the account cannot be used."""
    return run(verify)


def verify() -> int:
    """Validate the definitions and play the cases."""
    session = connect()
    region = str(session.region_name)
    # In adaptive mode boto3 slows down where AWS throttles.
    config = Config(
        retries={"mode": "adaptive", "total_max_attempts": 6},
        connect_timeout=5,
        read_timeout=60,
        # TestState has a host of its own, sync-states; an emulator has one host.
        inject_host_prefix="AWS_ENDPOINT_URL" not in os.environ,
    )
    account = session.client("sts", config=config).get_caller_identity()["Account"]
    print(f"AWS account {account}, Region {region}")
    tests = len(recorded())
    print(f"Validates {len(DEFINITIONS)} definitions and makes {tests} tests of states, {TESTS_A_SECOND} a second.")
    print(
        "Needs states:ValidateStateMachineDefinition and states:TestState. Free of charge; starts and changes nothing."
    )
    # What is recorded names the commercial partition.
    partition = session.get_partition_for_region(region)
    try:
        return check(session.client("stepfunctions", config=config), partition)
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code == "UnknownOperationException":
            needed = f"Step Functions in {region} has no {error.operation_name}: name another Region with AWS_REGION."
        elif code in ("AccessDenied", "AccessDeniedException"):
            needed = f"Allow states:ValidateStateMachineDefinition and states:TestState on *, then try again: {message}"
        else:
            raise
        raise AccountError(needed) from None
    except EndpointConnectionError as error:
        raise AccountError(
            f"Step Functions cannot be reached in {region} (a Region without TestState? a proxy or firewall?): {error}"
        ) from None


def check(client: "SFNClient", partition: str = "aws") -> int:
    """Validate the definitions, play the cases and print what differs. Returns: the exit status."""
    texts = {name: definition(path).replace("arn:aws:", f"arn:{partition}:") for name, path in DEFINITIONS.items()}
    problems = [problem for name, text in texts.items() for problem in _invalid(client, name, text)]
    states = {name: dict(all_states(json.loads(text)["States"])) for name, text in texts.items()}
    cases = recorded(partition)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        played = pool.map(lambda case: differences(client, case, states[case["machine"]][case["state"]]), cases)
        found = list(track(played, "TestState", total=len(cases), transient=True))
    counts = Counter((case["machine"], case["state"]) for case in cases)
    wrong = Counter((case["machine"], case["state"]) for case, lines in zip(cases, found, strict=True) if lines)
    table = Table("workflow", "state", "cases", "alike", "different")
    for place, count in counts.items():
        table.add_row(*place, *map(str, (count, count - wrong[place], wrong[place])))
    Console().print(table)
    different = [pair for pair in zip(cases, found, strict=True) if pair[1]]
    for case, lines in different[:SHOWN_IN_FULL]:
        given = {key: value for key, value in case.items() if key not in ("machine", "state", "answer")}
        print(f"\n{case['machine']}, {case['state']}, with {json.dumps(given)}", *lines, sep="\n  ")
    print(*problems, sep="\n", end="\n" if problems else "")
    print(f"{len(problems)} problems of the definitions; {len(different)} of {len(cases)} cases differ.")
    return int(bool(problems or different))


def recorded(partition: str = "aws") -> list[Case]:
    """The cases, with the ARNs of a partition."""
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
        for field, recorded_value in expected.items():
            if found[field] != recorded_value:
                was, now = _apart(recorded_value, found[field])
                lines.append(f"{field}\n    recorded: {json.dumps(was)}\n    AWS:      {json.dumps(now)}")
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
    expected = {"nextState": None} | copy.deepcopy(case["answer"]) | {"cause": _parsed(case["answer"].get("cause"))}
    request: dict[str, Any] = {"input": json.dumps(case["input"]), "variables": json.dumps(case["variables"])}
    if state["Type"] == "Wait":
        # A test ends after five minutes: the length of the wait is evaluated in a Pass state.
        length = {"Type": "Pass", "QueryLanguage": "JSONata", "Output": state["Seconds"], "End": True}
        yield {**request, "definition": json.dumps(length)}, {"output": expected.pop("seconds")}
        state = {**state, "Seconds": 0}
    if "mock" in case:
        request["context"] = json.dumps(case["context"])
        request["mock"] = _mock(case["mock"])
        if "error" in case["mock"]:
            request["stateConfiguration"] = {"retrierRetryCount": case["retries"]}
            if state["Type"] == "Map":
                request["stateConfiguration"]["errorCausedByState"] = state["ItemProcessor"]["StartAt"]
    yield {**request, "definition": json.dumps({"QueryLanguage": "JSONata", **state})}, expected


def _apart(one: Any, other: Any) -> tuple[Any, Any]:
    """Of two objects, the members that differ; of any other values, all."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return one, other
    keys = [key for key in {**one, **other} if one.get(key, _NONE) != other.get(key, _NONE)]
    return {key: one[key] for key in keys if key in one}, {key: other[key] for key in keys if key in other}


def _random(state: dict[str, Any]) -> set[str]:
    """The variables that a state assigns at random: of these, only the type is compared."""
    parts = (state, *state.get("Choices", ()), *state.get("Catch", ()))
    return {name for part in parts for name, value in part.get("Assign", {}).items() if "$random(" in json.dumps(value)}


def _mock(attempt: dict[str, Any]) -> dict[str, Any]:
    # STRICT refuses a Payload or an Output that is no string, and TestState does not parse one that is, as an execution
    # does. Source: boto/boto3#4682.
    if "error" in attempt:
        return {"errorOutput": {"error": attempt["error"]["Error"], "cause": attempt["error"]["Cause"]}}
    return {"result": json.dumps(attempt["result"]), "fieldValidationMode": "NONE"}


def _answered(response: Mapping[str, Any]) -> dict[str, Any]:
    """An answer, with the JSON in it parsed."""
    inspected = response.get("inspectionData", {})
    return {
        **{key: response.get(key) for key in ("status", "error", "nextState")},
        **{key: _parsed(response.get(key)) for key in ("output", "cause")},
        "variables": _parsed(inspected.get("variables", "{}")),
        "afterArguments": _parsed(inspected.get("afterArguments")),
        "afterItemSelector": [_parsed(item) for item in inspected.get("afterItemSelector", [])],
    }


def _parsed(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text)
    except ValueError:
        return text


if __name__ == "__main__":
    sys.exit(main())
