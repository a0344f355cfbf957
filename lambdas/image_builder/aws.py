"""Clients of AWS services, without what a function does not need of boto3: docs/performance.md has the figures."""

from typing import Any

import botocore.session
from botocore.config import Config


def client(service: str, config: Config) -> Any:
    """What `boto3.client` gives, in the function's own Region and role."""
    return botocore.session.get_session().create_client(service, config=config)
