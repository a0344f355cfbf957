"""The CDK app: read the configuration, build one stack, synthesize. Needs no AWS account and makes no AWS call."""

import sys

import aws_cdk as cdk

from infra.config import Config, InvalidConfiguration
from infra.stack import StartImageBuilderStack

app = cdk.App()
try:
    config = Config.from_context(app.node.try_get_context)
except InvalidConfiguration as problem:
    sys.exit(f"The configuration (cdk.json, context) is wrong. {problem}")
StartImageBuilderStack(app, config.stack_name, config=config)
app.synth()
