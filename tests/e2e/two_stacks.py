"""The CDK app of these tests: the stack of a new checkout, and a second one with settings from the context."""

import aws_cdk as cdk

from infra.config.settings import Settings
from infra.stack import StartImageBuilderStack

app = cdk.App()
for settings in (Settings.load({"stackName": "StartImageBuilder"}), Settings.load(app.node.get_context("second"))):
    StartImageBuilderStack(app, settings.stack_name, settings=settings)
app.synth()
