"""The CDK app: read the configuration, build one stack, synthesize. Needs no AWS account and makes no AWS call."""

import sys

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.config.rules import InvalidConfiguration
from infra.config.settings import Config
from infra.stack import StartImageBuilderStack

app = cdk.App()
try:
    config = Config.from_context(app.node.try_get_context)
except InvalidConfiguration as problem:
    sys.exit(f"The configuration (cdk.json, context) is wrong. {problem}")
StartImageBuilderStack(app, config.stack_name, config=config)
# A finding fails the synth, whatever was configured.
cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
app.synth()
