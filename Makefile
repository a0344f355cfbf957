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

# A misspelt option would be passed over in silence.
options := NAME STOP_AFTER FAULT EXECUTION OUTPUT EXAMPLES PYTHON SHELL
typed := $(foreach variable,$(.VARIABLES),$(if $(filter command,$(origin $(variable))),$(variable)))
$(if $(filter-out $(options),$(typed)),$(error There is no option $(filter-out $(options),$(typed)), only: $(options) (see: make help)))

# Before whatever works on an AWS account: which one that is, or in a sentence why there is none.
account = .venv/bin/python -m cli.account

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

.PHONY: demo
demo: setup ## Deploy to a local stand-in for AWS and start an image builder, live [NAME=... STOP_AFTER=minutes FAULT=...]
	@.venv/bin/python -m local.demo $(call option,NAME,name) $(call option,STOP_AFTER,stop-after) $(call option,FAULT,fault)

.PHONY: watch
watch: setup ## Show an execution live, on AWS or wherever your AWS settings point [EXECUTION=arn]
	@.venv/bin/python -m cli.watch $(call option,EXECUTION,execution)

.PHONY: report
report: setup ## Write an execution down as an HTML page to keep [EXECUTION=arn OUTPUT=file]
	@.venv/bin/python -m cli.report $(call option,EXECUTION,execution) $(call option,OUTPUT,output)

.PHONY: test
test: setup ## Run all tests: unit, infra, workflow, e2e
	@.venv/bin/python -m pytest

.PHONY: model
model: setup ## Run the workflow against ten thousand random builders, troubles and meddlers [EXAMPLES=...]
	@MODEL_EXAMPLES=$(or $(EXAMPLES),10000) .venv/bin/python -m pytest tests/workflow/test_model.py -n 0 --hypothesis-show-statistics

.PHONY: mutants
mutants: setup ## Change every branch of the workflow in turn, and see that a test notices
	@.venv/bin/python -W ignore -m tests.workflow.mutants

.PHONY: bench
bench: setup ## Measure anew everything that docs/performance.md and docs/scale.md show (about a quarter of an hour)
	@.venv/bin/python -W ignore -m bench.measure_all

.PHONY: lint
lint: setup ## Check format, types, the template and the state machine
	@ruff check . && ruff format --check .
	@mypy
	@bandit --quiet --recursive app.py bench cli infra lambdas local
	@.venv/bin/python -m local.audit
	@cdk synth --quiet --output .local/cdk.out 2>/dev/null || cdk synth --quiet --output .local/cdk.out
	@cfn-lint --template .local/cdk.out/*.template.json docs/examples/parent.template.json
	@.venv/bin/python -m cli.definition .local
	@asl-validator --json-path .local/start_image_builder.asl.json --json-path .local/stop_image_builder.asl.json --json-path .local/start_fleet.asl.json

.PHONY: synth
synth: setup ## Synthesize the CloudFormation template into cdk.out/
	@cdk synth --quiet --no-notices

.PHONY: bootstrap
bootstrap: setup ## Prepare the AWS account and Region of your credentials for the CDK, once
	@$(account) && cdk bootstrap --no-notices

.PHONY: deploy
deploy: setup ## Show the difference, ask, then deploy to the AWS account of your credentials
	@$(account) && cdk diff --no-notices && cdk deploy --no-notices --require-approval any-change

.PHONY: destroy
destroy: setup ## Remove the deployment from the AWS account of your credentials
	@$(account) && cdk destroy --no-notices

.PHONY: docs
docs: setup ## Write anew what the documentation takes from the code: runbook, tables, pictures of the workflows
	@.venv/bin/python -W ignore -m bench.write_docs

.PHONY: lock
lock: .venv/.ready ## Lock the requirements anew after a change of an .in file
	@local/lock.sh

.PHONY: clean
clean: ## Remove everything that the commands above made here
	@rm -rf .venv .venv-ministack node_modules cdk.out .local .pytest_cache .mypy_cache .ruff_cache .hypothesis

.DEFAULT:
	@$(error There is no command or file $@ (see: make help))

# Sub-make, so that the environments are made side by side. An environment whose Python was replaced, or whose folder was
# moved since, which breaks the scripts in it, is made anew.
.PHONY: setup
setup: python-version
	@{ .venv/bin/python -c '' && .venv/bin/node --version; } >/dev/null 2>&1 || rm -f .venv/.ready
	@.venv-ministack/bin/python -c 'import ministack' 2>/dev/null || rm -f .venv-ministack/.ready
	@$(MAKE) -s -j3 $(ENVIRONMENTS)

.PHONY: python-version
python-version:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or later is needed, and $(PYTHON) is: $$($(PYTHON) --version 2>&1 | head -n 1). Name another with: make PYTHON=python3.12"; exit 1; }

.venv/.ready: requirements-dev.txt
	@echo "Installing the Python packages into .venv (about half a minute, once)"
	@$(call venv,.venv,requirements-dev.txt)

.venv-ministack/.ready: local/requirements.txt
	@echo "Installing MiniStack into .venv-ministack"
	@$(call venv,.venv-ministack,local/requirements.txt)

node_modules/.ready: package-lock.json | .venv/.ready
	@echo "Installing the CDK CLI into node_modules"
	@npm ci --loglevel=error --no-progress >/dev/null || { echo "npm could not install package-lock.json: is the npm registry reachable from here (proxy, firewall)?"; exit 1; }
	@touch $@

define venv
$(PYTHON) -m venv --clear $(1) >$(1).log 2>&1 && rm $(1).log \
	|| { cat $(1).log; rm -f $(1).log; echo "$(PYTHON) cannot make a virtual environment here: on Debian and Ubuntu, install python3-venv; otherwise see whether the disk is full."; exit 1; }; \
$(1)/bin/python $(PIP) -r $(2) \
	|| { echo "pip could not install $(2). If it names a connection: is the Python package index reachable from here (proxy, firewall)? If it names a compiler: your platform has no built package of that, so install a C compiler and the headers of Python."; exit 1; }; \
touch $(1)/.ready
endef
