"""What each role may do, against what the scenarios really do: no call without a grant, no grant without a call."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

import pytest

from tests import scenarios
from tests.infra.conftest import THROUGH_THE_ALIAS, Assembly, listed
from tests.scenarios import BUILDER, Scenario
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Handler, service_error

pytestmark = pytest.mark.xdist_group("permissions")

START, STOP, FLEET = "StartImageBuilder", "StopImageBuilder", "StartFleet"

# Actions that services take under a role, which no scenario shows: logs and traces; and Step Functions stops what an
# execution waits for when that is stopped. Sources: AWS Lambda developer guide, Defining Lambda function permissions
# with an execution role; Step Functions developer guide, Using CloudWatch Logs to log execution history, and Trace Step
# Functions request data in AWS X-Ray.
TRACES = {"xray:PutTraceSegments", "xray:PutTelemetryRecords"}
NOT_SEEN_OF_A_FUNCTION = {*TRACES, "logs:CreateLogStream", "logs:PutLogEvents"}
NOT_SEEN_OF_A_WORKFLOW = {
    *TRACES,
    *(f"xray:{action}" for action in ("GetSamplingRules", "GetSamplingTargets")),
    *(f"logs:{action}LogDelivery" for action in ("Create", "Get", "Update", "Delete")),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
}
NOT_SEEN = {START: NOT_SEEN_OF_A_WORKFLOW, STOP: NOT_SEEN_OF_A_WORKFLOW}
NOT_SEEN[FLEET] = {*NOT_SEEN_OF_A_WORKFLOW, "states:StopExecution"}

# Without resource types. Source: service authorization reference.
ONLY_EVERYTHING = ("appstream:DescribeImageBuilders", "appstream:ListTagsForResource", "tag:GetResources")

ARN = "arn:<AWS::Partition>:{}:<AWS::Region>:<AWS::AccountId>:{}"


class Use(NamedTuple):
    """Something that a role did, or may do: an IAM action on a resource, either with wildcards where it is a grant."""

    role: str
    action: str
    resource: str

    def covers(self, call: "Use") -> bool:
        return (
            self.role == call.role
            and fnmatchcase(call.action.lower(), self.action.lower())
            and fnmatchcase(call.resource, self.resource)
        )


def resolved(value: Any) -> str:
    """A value of the template as a text; what only a deployment knows is written <like this>."""
    match value:
        case str():
            return value
        case {"Ref": name} | {"Fn::GetAtt": [name, "Arn" | "Name"]}:
            # The Ref of a topic or a state machine is its ARN as well.
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            joined: str = separator.join(resolved(part) for part in parts)
            return joined
    raise AssertionError(f"cannot resolve {value}")


def functions(assembly: Assembly) -> dict[str, str]:
    """The functions' logical ids, by the names of their handlers' modules."""
    found = assembly.resources("AWS::Lambda::Function").items()
    return {function["Properties"]["Handler"].split(".")[1]: name for name, function in found}


def machines(assembly: Assembly) -> dict[str, str]:
    """The state machines' logical ids, by their workflows."""
    found = assembly.resources("AWS::StepFunctions::StateMachine")
    return {name.partition("StateMachine")[0]: name for name in found}


def roles(assembly: Assembly) -> dict[str, str]:
    """Whose role each is, by its logical id."""
    resources = assembly.template["Resources"]
    owners = {owner: resources[name]["Properties"]["Role"] for owner, name in functions(assembly).items()}
    owners |= {owner: resources[name]["Properties"]["RoleArn"] for owner, name in machines(assembly).items()}
    return {role["Fn::GetAtt"][0]: owner for owner, role in owners.items()}


def granted(assembly: Assembly) -> Iterator[Use]:
    owners, own = roles(assembly), machines(assembly)
    # Nothing is granted in another place.
    assert assembly.resources("AWS::IAM::ManagedPolicy") == {}
    for role in assembly.resources("AWS::IAM::Role").values():
        assert not {"Policies", "ManagedPolicyArns"} & set(role["Properties"])
    for policy in assembly.properties("AWS::IAM::Policy"):
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            for owner in (owners[role["Ref"]] for role in policy["Roles"]):
                for action in listed(statement["Action"]):
                    for resource in map(resolved, listed(statement["Resource"])):
                        # The children of its own Map state have no alias. Any other condition would take back what is
                        # granted.
                        other = action == "states:StartExecution" and resource != f"<{own.get(owner)}>"
                        assert statement.get("Condition") == (THROUGH_THE_ALIAS if other else None)
                        yield Use(owner, action, resource)


def execution_of(machine: str, label: str = "") -> str:
    return ARN.format("states", f"execution:<{machine}>{label}:test")


class Recorder:
    """Plays scenarios and keeps what the roles do in them."""

    def __init__(self, assembly: Assembly) -> None:
        self.calls: set[Use] = set()
        self.running = START
        self.functions, self.machines = functions(assembly), machines(assembly)
        (invocation,) = assembly.properties("AWS::Lambda::EventInvokeConfig")
        self.on_failure = resolved(invocation["DestinationConfig"]["OnFailure"]["Destination"])
        ((self.topic, topic),) = assembly.resources("AWS::SNS::Topic").items()
        self.key = resolved(topic["Properties"]["KmsMasterKeyId"])

    def add(self, role: str, resource: str, *actions: str) -> None:
        self.calls.update(Use(role, action, resource) for action in actions)

    def world(self) -> World:
        world = World.new()
        world.engine.handlers = {
            name: self.watched(name, handler, world) for name, handler in world.engine.handlers.items()
        }
        return world

    def watched(self, name: str, handler: Handler, world: World) -> Handler:
        def watch(event: Any, context: Any) -> Any:
            if "detail-type" in event:
                # Invoked by the rule; what it asks for is an execution of one of them.
                self.add(name, execution_of(self.machines[self.running]), "states:DescribeExecution")
            else:
                self.add(self.running, f"<{self.functions[name]}>:1", "lambda:InvokeFunction")
            before, sent = len(world.fake.calls), len(world.topic.messages)
            try:
                return handler(event, context)
            finally:
                for call in world.fake.calls[before:]:
                    action = f"{'tag' if call.operation == 'GetResources' else 'appstream'}:{call.operation}"
                    builder = ARN.format("appstream", f"image-builder/{BUILDER}")
                    self.add(name, "*" if action in ONLY_EVERYTHING else builder, action)
                if len(world.topic.messages) > sent:
                    self.add(name, f"<{self.topic}>", "sns:Publish")
                    # Source: Amazon SNS developer guide, Managing Amazon SNS encryption keys and costs.
                    self.add(name, self.key, "kms:GenerateDataKey", "kms:Decrypt")

        return watch

    def play(self, scenario: Scenario, *, publish_errors: int = 0, stop: Mapping[str, Any] | None = None) -> None:
        self.running, world = START, self.world()
        world.plan({"Publish": [service_error("Publish", "KMSDisabledException")] * publish_errors})
        world.play(scenario)
        for left in world.engine.started:
            assert left["StateMachineArn"].endswith(":live")
            self.add(START, f"<{self.machines[STOP]}>", "states:StartExecution")
        for entry in world.engine.announced:
            self.add(START, ARN.format("events", f"event-bus/{entry['EventBusName']}"), "events:PutEvents")
        if world.engine.started or stop is not None:
            self.running = STOP
            world.run_stop(stop)
        if world.undelivered:
            self.add("notify_operators", self.on_failure, "sqs:SendMessage")

    def play_fleet(self, **request: Any) -> None:
        self.running, world = FLEET, self.world()
        world.fake.put_builder(BUILDER, tags={"Patch": "tuesday"})

        def run_one(parameters: dict[str, str]) -> Execution:
            self.add(FLEET, f"<{self.machines[START]}>", "states:StartExecution")
            # Source: AWS Step Functions developer guide, IAM policies for Step Functions, Run a Job (.sync).
            self.add(FLEET, execution_of(self.machines[START]), "states:DescribeExecution")
            rule = ARN.format("events", "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule")
            self.add(FLEET, rule, "events:DescribeRule", "events:PutRule", "events:PutTargets")
            self.running = START
            end = world.run(json.loads(parameters["Input"]))
            self.running = FLEET
            return end

        world.run_fleet({**request, "MaxConcurrency": 1}, run_one)
        # Source: AWS Step Functions developer guide, IAM policies for using Distributed Map states.
        self.add(FLEET, f"<{self.machines[FLEET]}>", "states:StartExecution")
        for label in ("", "/ImageBuilder"):
            self.add(FLEET, execution_of(self.machines[FLEET], label), "states:DescribeExecution")


@pytest.fixture(scope="module")
def calls(assembly: Assembly) -> set[Use]:
    """What the roles do in all scenarios, in fleets, with an auto-stop, and where nobody can be notified."""
    recorder = Recorder(assembly)
    for scenario in scenarios.ALL:
        recorder.play(scenario)
    recorder.play_fleet(Tag={"Key": "Patch", "Value": "tuesday"})
    recorder.play_fleet(ImageBuilders=["no-such-builder"])
    recorder.play(Scenario("nobody-can-be-notified", {"state": "FAILED"}), publish_errors=100)
    recorder.play(Scenario("an-auto-stop", request={"Name": BUILDER, "StopAfterMinutes": 30}))
    recorder.play(Scenario("a-stop-that-fails"), stop={"Name": "no-such-builder"})
    return recorder.calls


def test_every_call_of_the_scenarios_is_granted(assembly: Assembly, calls: set[Use]) -> None:
    grants = list(granted(assembly))
    assert [call for call in calls if not any(grant.covers(call) for grant in grants)] == []


def test_no_grant_is_without_a_call(assembly: Assembly, calls: set[Use]) -> None:
    unused = [grant for grant in granted(assembly) if not any(grant.covers(call) for call in calls)]
    for role in roles(assembly).values():
        not_seen = NOT_SEEN.get(role, NOT_SEEN_OF_A_FUNCTION)
        assert {grant.action for grant in unused if grant.role == role} == not_seen, role


NARROWEST = {
    r"\*": [*ONLY_EVERYTHING, *NOT_SEEN_OF_A_FUNCTION, *NOT_SEEN_OF_A_WORKFLOW],
    r".*:image-builder/\*": ["appstream:StartImageBuilder", "appstream:StopImageBuilder"],
    # Of one state machine.
    r".*:execution:<\w+>(/\w+)?:\*": ["states:DescribeExecution", "states:StopExecution"],
    # Versions of one function.
    r"<\w+>:\*": ["lambda:InvokeFunction"],
}
"""The actions that may have a resource with a wildcard, by its pattern."""


def test_no_grant_is_wider_than_the_service_allows(assembly: Assembly) -> None:
    for grant in granted(assembly):
        assert "*" not in grant.action, grant
        if "*" in grant.resource:
            patterns = [pattern for pattern, actions in NARROWEST.items() if grant.action in actions]
            assert any(re.fullmatch(pattern, grant.resource) for pattern in patterns), grant


def test_every_function_and_the_state_machine_has_a_role_of_its_own(assembly: Assembly) -> None:
    assert sorted(roles(assembly).values()) == sorted([*functions(assembly), START, STOP, FLEET])


def test_only_the_rule_may_invoke_the_function_that_notifies(assembly: Assembly) -> None:
    (permission,) = assembly.properties("AWS::Lambda::Permission")
    (rule,) = assembly.resources("AWS::Events::Rule")
    assert permission["Principal"] == "events.amazonaws.com"
    assert permission["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}
