"""The CDK app: read the settings, build one stack, synthesize. Needs no AWS account and makes no AWS call."""

import sys
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.config.settings import InvalidSettings, Settings
from infra.stack import StartImageBuilderStack

LARGEST_TEMPLATE = 1_000_000
"""Bytes. Source: AWS CloudFormation user guide, Quotas, template body size in an S3 object."""

app = cdk.App()
try:
    settings = Settings.from_context(app.node.get_all_context())
except InvalidSettings as problems:
    sys.exit(str(problems))
stack = StartImageBuilderStack(app, settings.stack_name, settings=settings)
for warning in settings.warnings():
    cdk.Annotations.of(stack).add_warning_v2("start-image-builder:settings", warning)
# A finding fails the synth, whatever was configured.
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
template = Path(app.synth().get_stack_by_name(settings.stack_name).template_full_path)
if (size := template.stat().st_size) > LARGEST_TEMPLATE:
    sys.exit(
        f"The template is too large for CloudFormation: {size:,} bytes of at most {LARGEST_TEMPLATE:,}. Put some "
        "schedules into a second deployment, with another stackName, or let them find their image builders by a tag."
    )
