"""What only the account and the Region of a deployment show about its settings: checked by `make deploy`."""

import boto3
import botocore

from infra.config.settings import Settings


def problems(settings: Settings, account: str, region: str) -> list[str]:
    """What would fail the deployment, or leave it without effect: a sentence each."""
    # A rule matches events of a bus of its own account and Region.
    found = [
        f"triggers ({trigger.name}).eventBus: must be a bus of account {account} in {region}, not {trigger.event_bus}: "
        "let a rule of that bus send its events to a bus here"
        for trigger in settings.triggers
        if _place(trigger.event_bus, account, region) != (account, region)
    ]
    # Source: Amazon EventBridge user guide, Sending and receiving events between AWS Regions: by rules alone.
    if _place(settings.event_bus, account, region)[1] != region:
        found.append(
            f"eventBus: must be a bus in {region}, not {settings.event_bus}: name a bus here, with a rule that sends "
            "its events there"
        )
    return found


def warnings(settings: Settings, account: str, region: str) -> list[str]:
    """What probably does not work, or needs more than this deployment: a sentence each."""
    found = []
    session = boto3.Session()
    regions = session.get_available_regions("appstream", session.get_partition_for_region(region))
    # AWS's own data, of the day on which the locked version of botocore was released.
    if region not in regions:
        found.append(
            f"AppStream 2.0 is not in {region}, as botocore {botocore.__version__} knows it, only in "
            f"{', '.join(regions) or 'no Region of this partition'}: this deployment would find no image builder"
        )
    # Source: Amazon EventBridge user guide, Permissions for event buses in Amazon EventBridge.
    owner = _place(settings.event_bus, account, region)[0]
    if owner != account:
        found.append(
            f"eventBus: belongs to account {owner}: its resource policy must allow events:PutEvents to {account}, "
            "or no result can be announced"
        )
    return found


def _place(name_or_arn: str, account: str, region: str) -> tuple[str, str]:
    """The account and the Region of an ARN; these, of a name, and for a part that the ARN leaves empty."""
    parts = name_or_arn.split(":") if name_or_arn.startswith("arn:") else [""] * 5
    return parts[4] or account, parts[3] or region
