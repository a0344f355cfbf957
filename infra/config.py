"""The deployment's configuration: cdk.json's context, checked at synth."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

PROTOCOLS = ("email", "https")


class InvalidConfiguration(ValueError):
    """A value in cdk.json's context (or given with `cdk -c`) breaks its rule. The message names the key."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who is told when a start fails: an SNS protocol, `email` or `https`, and its endpoint."""

    protocol: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class Config:
    """What a deployment can choose.

    Attributes:
        stack_name: context key `stackName`: the CloudFormation stack; another name is another deployment beside it.
        subscribers: context key `subscribers`: a list of {"protocol": "email" | "https", "endpoint": "..."}.
    """

    stack_name: str
    subscribers: tuple[Subscriber, ...]

    @classmethod
    def from_context(cls, get: Callable[[str], Any]) -> "Config":
        """Read the context.

        Args:
            get: gives the value of a context key, or None: an app's `node.try_get_context`.

        Raises:
            InvalidConfiguration: naming the key and the rule.
        """
        stack_name = get("stackName")
        if not isinstance(stack_name, str) or not stack_name:
            raise InvalidConfiguration("stackName: must be a CloudFormation stack name, such as StartImageBuilder")
        subscribers = get("subscribers") or []
        if not isinstance(subscribers, list):
            raise InvalidConfiguration('subscribers: must be a list of {"protocol": ..., "endpoint": ...}')
        return cls(stack_name, tuple(_subscriber(index, entry) for index, entry in enumerate(subscribers)))


def _subscriber(index: int, entry: Any) -> Subscriber:
    where = f"subscribers[{index}]"
    if not isinstance(entry, dict) or set(entry) != {"protocol", "endpoint"}:
        raise InvalidConfiguration(f'{where}: must be {{"protocol": ..., "endpoint": ...}}, not {entry!r}')
    protocol, endpoint = entry["protocol"], entry["endpoint"]
    if protocol not in PROTOCOLS:
        raise InvalidConfiguration(f"{where}.protocol: must be one of {', '.join(PROTOCOLS)}, not {protocol!r}")
    if not isinstance(endpoint, str) or (
        "@" not in endpoint if protocol == "email" else not endpoint.startswith("https://")
    ):
        rule = "an e-mail address" if protocol == "email" else "a URL that begins with https://"
        raise InvalidConfiguration(f"{where}.endpoint: must be {rule}, not {endpoint!r}")
    return Subscriber(protocol, endpoint)
