"""What each role may do, against what the scenarios really do: no call without a grant, no grant without a call."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.resources import files
from itertools import repeat
from typing import Any

import pytest

from tests import scenarios
from tests.infra.conftest import Assembly, listed
from tests.scenarios import BUILDER, Scenario
from tests.workflow.conftest import World
from tests.workflow.engine import Execution, Handler, service_error

pytestmark = pytest.mark.xdist_group("permissions")

START, STOP, FLEET = "the workflow that starts", "the workflow that stops", "the workflow that starts many"
WORKFLOWS = {
    "StartImageBuilderFunctionArn": START,
    "StopImageBuilderFunctionArn": STOP,
    "ListImageBuildersFunctionArn": FLEET,
}
"""By the function that only this one invokes."""

LOGS = "Lambda writes the function's log under its role."
DELIVERY = "Step Functions sets up the delivery of its log under its role."
FUNCTION_TRACES = "Lambda sends traces under the role."
TRACES = "Step Functions decides what it traces, and sends it, under its role."

NOT_SEEN_OF_A_FUNCTION: Mapping[str, str] = {
    "logs:CreateLogStream": LOGS,
    "logs:PutLogEvents": LOGS,
    "xray:PutTraceSegments": FUNCTION_TRACES,
    "xray:PutTelemetryRecords": FUNCTION_TRACES,
}
NOT_SEEN_OF_A_WORKFLOW: Mapping[str, str] = {
    "logs:CreateLogDelivery": DELIVERY,
    "logs:GetLogDelivery": DELIVERY,
    "logs:UpdateLogDelivery": DELIVERY,
    "logs:DeleteLogDelivery": DELIVERY,
    "logs:ListLogDeliveries": DELIVERY,
    "logs:PutResourcePolicy": DELIVERY,
    "logs:DescribeResourcePolicies": DELIVERY,
    "logs:DescribeLogGroups": DELIVERY,
    "xray:PutTraceSegments": TRACES,
    "xray:PutTelemetryRecords": TRACES,
    "xray:GetSamplingRules": TRACES,
    "xray:GetSamplingTargets": TRACES,
}
NOT_SEEN_OF_A_FLEET = {
    "states:StopExecution": "Step Functions stops what an execution waits for when that is stopped, under its role."
}
"""Actions that services take under a role, which no scenario shows.

Sources: AWS Lambda developer guide, Defining Lambda function permissions with an execution role; Step Functions
developer guide, Using CloudWatch Logs to log execution history, and Trace Step Functions request data in AWS X-Ray.
"""


ONLY_EVERYTHING = ("appstream:DescribeImageBuilders", "appstream:ListTagsForResource", "tag:GetResources")

WAITING = (
    "events:DescribeRule",
    "events:PutRule",
    "events:PutTargets",
)
"""What Step Functions does under the role of a workflow that waits for another's execution.

Source: AWS Step Functions developer guide, IAM policies for Step Functions, Run a Job (.sync).
"""


THROUGH_THE_ALIAS = {"ForAnyValue:StringEquals": {"states:StateMachineQualifier": ["live"]}}


@dataclass(frozen=True)
class Use:
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
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, "Arn" | "Name"]}:
            # The Ref of a topic or a state machine is its ARN as well.
            return f"<{name}>"
        case {"Fn::Join": [separator, parts]}:
            joined: str = separator.join(resolved(part) for part in parts)
            return joined
    raise AssertionError(f"cannot resolve {value}")


def functions(assembly: Assembly) -> dict[str, dict[str, Any]]:
    """The functions' properties, by the names of their handlers' modules."""
    found = assembly.properties("AWS::Lambda::Function")
    return {function["Handler"].split(".")[1]: function for function in found}


def machines(assembly: Assembly) -> dict[str, tuple[str, dict[str, Any]]]:
    """Logical id and properties of the state machine of each workflow."""
    return {
        workflow: (logical_id, machine["Properties"])
        for logical_id, machine in assembly.resources("AWS::StepFunctions::StateMachine").items()
        for function, workflow in WORKFLOWS.items()
        if function in machine["Properties"]["DefinitionSubstitutions"]
    }


def roles(assembly: Assembly) -> dict[str, str]:
    """Whose role each is, by its logical id."""
    owners = {name: properties["Role"] for name, properties in functions(assembly).items()}
    owners |= {name: properties["RoleArn"] for name, (_, properties) in machines(assembly).items()}
    return {role["Fn::GetAtt"][0]: owner for owner, role in owners.items()}


def not_seen(role: str) -> set[str]:
    """The actions of a role that no scenario can show."""
    if role not in WORKFLOWS.values():
        return set(NOT_SEEN_OF_A_FUNCTION)
    return {*NOT_SEEN_OF_A_WORKFLOW, *(NOT_SEEN_OF_A_FLEET if role == FLEET else {})}


def granted(assembly: Assembly) -> Iterator[Use]:
    owners = roles(assembly)
    # Nothing is granted in another place.
    assert assembly.resources("AWS::IAM::ManagedPolicy") == {}
    for role in assembly.resources("AWS::IAM::Role").values():
        assert not {"Policies", "ManagedPolicyArns"} & set(role["Properties"])
    for policy in assembly.resources("AWS::IAM::Policy").values():
        properties = policy["Properties"]
        for statement in properties["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            # A condition that nothing meets would take back what is granted.
            assert statement.get("Condition") in (None, THROUGH_THE_ALIAS)
            for role in properties["Roles"]:
                for action in listed(statement["Action"]):
                    for resource in listed(statement["Resource"]):
                        yield Use(owners[role["Ref"]], action, resolved(resource))


def used(assembly: Assembly) -> set[Use]:
    """What the roles do in all scenarios, with an auto-stop, and where nobody can be notified."""
    calls: set[Use] = set()
    running = START
    topic = resolved(functions(assembly)["notify_operators"]["Environment"]["Variables"]["TOPIC_ARN"])
    key = resolved(assembly.resources("AWS::SNS::Topic")[topic.strip("<>")]["Properties"]["KmsMasterKeyId"])
    (invocation,) = assembly.resources("AWS::Lambda::EventInvokeConfig").values()
    on_failure = resolved(invocation["Properties"]["DestinationConfig"]["OnFailure"]["Destination"])

    def watched(name: str, handler: Handler, world: World) -> Handler:
        def watch(event: Any, context: Any) -> Any:
            logical_id, machine = machines(assembly)[running]
            if "detail-type" in event:
                # Invoked by the rule; what it asks for is an execution of one of them.
                calls.add(Use(name, "states:DescribeExecution", execution_of(logical_id)))
            else:
                substitution = f"{name.title().replace('_', '')}FunctionArn"
                version = resolved(machine["DefinitionSubstitutions"][substitution]).strip("<>")
                function = assembly.resources("AWS::Lambda::Version")[version]["Properties"]["FunctionName"]
                calls.add(Use(running, "lambda:InvokeFunction", f"{resolved(function)}:1"))
            before, sent = len(world.fake.calls), len(world.topic.messages)
            try:
                return handler(event, context)
            finally:
                for call in world.fake.calls[before:]:
                    service = "tag" if call.operation == "GetResources" else "appstream"
                    action = f"{service}:{call.operation}"
                    calls.add(Use(name, action, image_builder_of(action)))
                if len(world.topic.messages) > sent:
                    calls.add(Use(name, "sns:Publish", topic))
                    # Source: Amazon SNS developer guide, Managing Amazon SNS encryption keys and costs.
                    calls.update(Use(name, f"kms:{action}", key) for action in ("GenerateDataKey", "Decrypt"))

        return watch

    def play(
        scenario: Scenario, prepare: Callable[[World], None] = lambda world: None, stop: Mapping[str, Any] | None = None
    ) -> None:
        nonlocal running
        running = START
        world = World.new()
        handlers = world.engine.handlers
        world.engine.handlers = {name: watched(name, handler, world) for name, handler in handlers.items()}
        prepare(world)
        world.play(scenario)
        for left in world.engine.started:
            _, machine = machines(assembly)[START]
            alias = resolved(machine["DefinitionSubstitutions"]["StopImageBuilderAliasArn"])
            calls.add(Use(START, "states:StartExecution", authorized_as(assembly, alias)))
            assert left["StateMachineArn"].endswith(":live")
        for entry in world.engine.announced:
            _, machine = machines(assembly)[START]
            bus = resolved(machine["DefinitionSubstitutions"]["EventBusName"])
            calls.add(Use(START, "events:PutEvents", bus))
            assert entry["EventBusName"] == "default"
        if world.engine.started or stop is not None:
            running = STOP
            world.run_stop(stop)
        if world.undelivered:
            calls.add(Use("notify_operators", "sqs:SendMessage", on_failure))

    def play_fleet(names: list[str]) -> None:
        nonlocal running
        running = FLEET
        world = World.new()
        handlers = world.engine.handlers
        world.engine.handlers = {name: watched(name, handler, world) for name, handler in handlers.items()}
        world.fake.put_builder(BUILDER, tags={"Patch": "tuesday"})
        logical_id, machine = machines(assembly)[FLEET]
        started, _ = machines(assembly)[START]

        def run_one(parameters: dict[str, str]) -> Execution:
            nonlocal running
            alias = resolved(machine["DefinitionSubstitutions"]["StartImageBuilderAliasArn"])
            calls.add(Use(FLEET, "states:StartExecution", authorized_as(assembly, alias)))
            calls.add(Use(FLEET, "states:DescribeExecution", execution_of(started)))
            calls.update(Use(FLEET, action, MANAGED_RULE) for action in WAITING)
            running = START
            end = world.run(json.loads(parameters["Input"]))
            running = FLEET
            return end

        request = {"ImageBuilders": names} if names else {"Tag": {"Key": "Patch", "Value": "tuesday"}}
        world.run_fleet({**request, "MaxConcurrency": 1}, run_one)
        # Source: AWS Step Functions developer guide, IAM policies for using Distributed Map states.
        calls.add(Use(FLEET, "states:StartExecution", f"<{logical_id}>"))
        for label in ("", "/ImageBuilder"):
            calls.add(Use(FLEET, "states:DescribeExecution", execution_of(logical_id, label)))

    for scenario in scenarios.ALL:
        play(scenario)
    play_fleet([])
    play_fleet(["no-such-builder"])
    play(Scenario("nobody-can-be-notified", {"state": "FAILED"}), nobody_can_be_notified)
    play(Scenario("an-auto-stop", request={"Name": BUILDER, "StopAfterMinutes": 30}))
    play(Scenario("a-stop-that-fails"), stop={"Name": "no-such-builder"})
    return calls


MANAGED_RULE = (
    "arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:"
    "rule/StepFunctionsGetEventsForStepFunctionsExecutionRule"
)


def execution_of(logical_id: str, label: str = "") -> str:
    return f"arn:<AWS::Partition>:states:<AWS::Region>:<AWS::AccountId>:execution:<{logical_id}>{label}:test"


def authorized_as(assembly: Assembly, alias: str) -> str:
    """The state machine that an alias belongs to: Step Functions authorizes by that, not by the ARN of the alias.

    Source: AWS Step Functions developer guide, Authorization for versions and aliases.
    """
    properties = assembly.resources("AWS::StepFunctions::StateMachineAlias")[alias.strip("<>")]["Properties"]
    (routing,) = properties["RoutingConfiguration"]
    version = resolved(routing["StateMachineVersionArn"]).strip("<>")
    versions = assembly.resources("AWS::StepFunctions::StateMachineVersion")
    return resolved(versions[version]["Properties"]["StateMachineArn"])


def nobody_can_be_notified(world: World) -> None:
    world.plan({"Publish": repeat(service_error("Publish", "KMSDisabledException"))})


def image_builder_of(action: str) -> str:
    # Without resource types. Source: service authorization reference, AppStream 2.0.
    if action in ONLY_EVERYTHING:
        return "*"
    return "arn:<AWS::Partition>:appstream:<AWS::Region>:<AWS::AccountId>:image-builder/golden-image"


@pytest.fixture(scope="module")
def calls(assembly: Assembly) -> set[Use]:
    return used(assembly)


def test_every_call_of_the_scenarios_is_granted(assembly: Assembly, calls: set[Use]) -> None:
    grants = list(granted(assembly))
    assert [call for call in calls if not any(grant.covers(call) for grant in grants)] == []


def test_no_grant_is_without_a_call(assembly: Assembly, calls: set[Use]) -> None:
    unused = [grant for grant in granted(assembly) if not any(grant.covers(call) for call in calls)]
    for role in roles(assembly).values():
        assert {grant.action for grant in unused if grant.role == role} == not_seen(role), role


def test_no_grant_is_wider_than_the_service_allows(assembly: Assembly) -> None:
    for grant in granted(assembly):
        assert "*" not in grant.action, grant
        if "*" in grant.resource:
            narrowest = (
                (
                    grant.resource.endswith(":image-builder/*")
                    and grant.action in ("appstream:StartImageBuilder", "appstream:StopImageBuilder")
                )
                or (
                    # Of one state machine.
                    re.fullmatch(r".*:execution:<\w+>(/\w+)?:\*", grant.resource) is not None
                    and grant.action in ("states:DescribeExecution", "states:StopExecution")
                )
                or (
                    # Versions of one function.
                    re.fullmatch(r"<\w+>:\*", grant.resource) is not None and grant.action == "lambda:InvokeFunction"
                )
            )
            only_everything = grant.action in ONLY_EVERYTHING or grant.action in not_seen(grant.role)
            assert narrowest or (grant.resource == "*" and only_everything), grant


def test_every_grant_has_the_kind_of_resource_that_its_action_takes(assembly: Assembly) -> None:
    """By the service authorization reference, as cfn-lint carries it."""
    reference = json.loads((files("cfnlint") / "data/AdditionalSpecs/Policies.json").read_text())
    for grant in granted(assembly):
        service, _, action = grant.action.partition(":")
        takes = reference[service]["Actions"][action.lower()].get("Resources", [])
        assert bool(takes) is (grant.resource != "*"), (grant, takes)


def test_a_workflow_may_start_another_through_its_alias_only(assembly: Assembly) -> None:
    owners, own = roles(assembly), {name: f"<{logical_id}>" for name, (logical_id, _) in machines(assembly).items()}
    statements = [
        statement
        for policy in assembly.resources("AWS::IAM::Policy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        for role in policy["Properties"]["Roles"]
        if "states:StartExecution" in listed(statement["Action"])
        # The children of its own Map state, which go by no alias.
        if resolved(statement["Resource"]) != own.get(owners[role["Ref"]])
    ]
    aliases = assembly.resources("AWS::StepFunctions::StateMachineAlias").values()
    assert {alias["Properties"]["Name"] for alias in aliases} == {"live"}
    assert statements
    for statement in statements:
        assert statement["Condition"] == THROUGH_THE_ALIAS


def test_every_function_and_the_state_machine_has_a_role_of_its_own(assembly: Assembly) -> None:
    assert sorted(roles(assembly).values()) == sorted([*functions(assembly), *WORKFLOWS.values()])


def test_only_the_rule_may_invoke_the_function_that_notifies(assembly: Assembly) -> None:
    (permission,) = assembly.resources("AWS::Lambda::Permission").values()
    (rule,) = assembly.resources("AWS::Events::Rule")
    assert permission["Properties"]["Principal"] == "events.amazonaws.com"
    assert permission["Properties"]["SourceArn"] == {"Fn::GetAtt": [rule, "Arn"]}
