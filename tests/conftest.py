"""What every test needs to import the handlers: the environment that Lambda gives them."""

import os

os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    POWERTOOLS_SERVICE_NAME="start-image-builder",
    POWERTOOLS_METRICS_NAMESPACE="StartImageBuilder",
    TOPIC_ARN="arn:aws:sns:us-east-1:000000000000:operators",
    CHAT="false",
    RUNBOOK_URL="",
    # What they log and measure is written to standard output, a line a call.
    POWERTOOLS_LOG_LEVEL="CRITICAL",
)
