# The front door. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
PYTHON ?= python3

# The environments' own tools come first: their Node, not the machine's, runs the CDK.
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1

PIP := -m pip install -qq --disable-pip-version-check --require-hashes
ENVIRONMENTS := .venv/.ready .venv-ministack/.ready node_modules/.ready

# NAME, FAULT and the other options of a command come from make's command line alone, and reach it as they were typed;
# an unset one stays the command's default.
quoted = '$(subst ','\'',$(value $(1)))'
option = $(if $(filter command,$(origin $(1))),--$(2)=$(call quoted,$(1)))

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Deploy to a local stand-in for AWS and start an image builder, live [NAME=... STOP_AFTER=minutes FAULT=...]
	@.venv/bin/python -m local.demo $(call option,NAME,name) $(call option,STOP_AFTER,stop-after) $(call option,FAULT,fault)

.PHONY: test
test: setup ## Run all tests: unit, infra, workflow, e2e
	@.venv/bin/python -m pytest

.PHONY: model
model: setup ## Run the workflow against ten thousand random builders, troubles and meddlers [EXAMPLES=...]
	@MODEL_EXAMPLES=$(or $(EXAMPLES),10000) .venv/bin/python -m pytest tests/workflow/test_model.py -n 0 --hypothesis-show-statistics

.PHONY: mutants
mutants: setup ## Change every branch of the workflow in turn, and see that a test notices
	@PYTHONPATH=lambdas .venv/bin/python -W ignore -m tests.workflow.mutants

.PHONY: bench
bench: setup ## Measure what a cold start of each function costs beside a bare client
	@.venv/bin/python -m bench.cold_start

.PHONY: lint
lint: setup ## Check format, types, the template and the state machine
	@ruff check . && ruff format --check .
	@mypy
	@bandit --quiet --recursive app.py bench infra lambdas local docs
	@.venv/bin/python -m local.audit
	@cdk synth --quiet --output .local/cdk.out 2>/dev/null || cdk synth --quiet --output .local/cdk.out
	@cfn-lint --template .local/cdk.out/*.template.json
	@.venv/bin/python -m local.definition .local
	@asl-validator --json-path .local/start_image_builder.asl.json --json-path .local/stop_image_builder.asl.json

.PHONY: synth
synth: setup ## Synthesize the CloudFormation template into cdk.out/
	@cdk synth --quiet --no-notices

.PHONY: bootstrap
bootstrap: setup ## Prepare the AWS account and Region of your credentials for the CDK, once
	@cdk bootstrap --no-notices

.PHONY: deploy
deploy: setup ## Show the difference, ask, then deploy to the AWS account of your credentials
	@cdk diff --no-notices && cdk deploy --no-notices --require-approval any-change

.PHONY: destroy
destroy: setup ## Remove the deployment from the AWS account of your credentials
	@cdk destroy --no-notices

.PHONY: docs
docs: setup ## Write docs/runbook.md anew from the workflow and the advice table
	@.venv/bin/python -m docs.runbook_page

.PHONY: lock
lock: .venv/.ready ## Lock the requirements anew after a change of an .in file
	@local/lock.sh

.PHONY: clean
clean: ## Remove everything that the commands above made here
	@rm -rf .venv .venv-ministack node_modules cdk.out .local .pytest_cache .mypy_cache .ruff_cache .hypothesis

# Sub-make, so that the environments are made side by side.
.PHONY: setup
setup: python-version
	@$(MAKE) -s -j3 $(ENVIRONMENTS)

.PHONY: python-version
python-version:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or later is needed, and $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another with: make PYTHON=python3.12"; exit 1; }

.venv/.ready: requirements-dev.txt
	@echo "Installing the Python packages into .venv (about half a minute, once)"
	@$(call venv,.venv,requirements-dev.txt)

.venv-ministack/.ready: local/requirements.txt
	@echo "Installing MiniStack into .venv-ministack"
	@$(call venv,.venv-ministack,local/requirements.txt)

node_modules/.ready: package-lock.json | .venv/.ready
	@echo "Installing the CDK CLI into node_modules"
	@npm ci --silent || { echo "npm could not install package-lock.json: is the npm registry reachable from here (proxy, firewall)?"; exit 1; }
	@touch $@

define venv
$(PYTHON) -m venv --clear $(1) && $(1)/bin/python $(PIP) -r $(2) \
	|| { echo "pip could not install $(2): is the Python package index reachable from here (proxy, firewall)?"; exit 1; }; \
touch $(1)/.ready
endef
