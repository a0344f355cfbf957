# `make help` lists the commands. Each installs what it needs first (cli/environment.py), unless it is there.

COMMANDS := help setup demo watch report test test-full lint audit synth bootstrap deploy verify smoke rollback pause \
  resume auto-stops extend-auto-stop cancel-auto-stop destroy docs bench lock clean
.PHONY: $(COMMANDS)
.NOTPARALLEL:
.DEFAULT_GOAL := help

# The options of each command, OPTION:flag. PYTHON=... goes with every command that installs something.
demo_options := NAME:name STOP_AFTER:stop-after FAULT:fault
watch_options := EXECUTION:execution
report_options := EXECUTION:execution OUTPUT:output
smoke_options := NAME:name NOTIFY:notify
rollback_options := TO:to
auto-stops_options := NAME:name
extend-auto-stop_options := NAME:name MINUTES:minutes
cancel-auto-stop_options := NAME:name
test-full_options := EXAMPLES:examples

# What is no command, no option of this command, or an option in the environment is refused before anything runs.
refuse = $(if $(strip $1),$(error $(strip $1) $2 (see: make help)))
goals := $(or $(MAKECMDGOALS),help)
known := $(foreach option,$(foreach goal,$(goals),$($(goal)_options)),$(firstword $(subst :, ,$(option))))
typed := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
inherited := $(foreach name,$(known),$(if $(filter environment%,$(origin $(name))),$(name)))
$(call refuse,$(filter-out $(COMMANDS),$(goals)),is no command. An option needs its name: make demo FAULT=...)
$(call refuse,$(filter-out PYTHON $(known),$(typed)),is no option of make $(goals)$(if $(known),: its options are $(known)))
ifneq (,$(filter NAME,$(inherited))) # Windows Subsystem for Linux sets it, to the name of the machine.
inherited := $(filter-out $(if $(subst $(shell uname -n),,$(value NAME)),,NAME),$(inherited))
endif
$(call refuse,$(inherited),is set in the environment. Unset it or type it after the command: make $(goals) $(firstword $(inherited))=...)

# An option reaches its command as it was typed: in a variable that make does not expand and the shell does not parse. What
# is typed itself is not exported, since make would expand it.
$(foreach name,$(typed),$(eval unexport $(name))$(eval export typed_$(name) := $$(value $(name))))
unexport MAKEFLAGS
options = $(foreach option,$($@_options),$(call flag,$(firstword $(subst :, ,$(option))),$(lastword $(subst :, ,$(option)))))
flag = $(if $(filter $1,$(typed)),--$2="$$typed_$1")

# $(call with,NAMES) COMMAND: install NAMES, then run a command with their tools.
with = $(if $(filter PYTHON,$(typed)),"$$typed_PYTHON","$${PYTHON:-python3}") -m cli.environment $1 &&
all := app demo emulator test lint bench docs node
export PATH := $(CURDIR)/.venv/bin:$(CURDIR)/node_modules/.bin:$(value PATH)
export JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION := 1
# A company's proxy may have a certificate that only the machine knows.
export NODE_USE_SYSTEM_CA ?= 1
# Container images set it. Each synth would compile the CDK's modules again, for three seconds.
unexport PYTHONDONTWRITEBYTECODE

help: ## List the commands
	@awk -F '(_options)? := |:.*## ' '/^[a-z-]+_options/{gsub(":[a-z-]+", "=...", $$2); options[$$1] = " [" $$2 "]"} \
	  /^[a-z-]+:.*## /{printf "  make %-16s %s%s\n", $$1, $$2, options[$$1]}' Makefile

setup: ## Install everything that the other commands need
	@$(call with,$(all)) true

demo: ## Deploy to an emulator of AWS and start an image builder, live
	@$(call with,app demo emulator node) python -m local.demo $(options)

watch: ## Show an execution live, on AWS or wherever your AWS settings point
	@$(call with,app demo) python -m cli.watch $(options)

report: ## Write an execution to an HTML page to keep
	@$(call with,app demo node) python -m cli.report $(options)

test: ## Run the tests: unit, infra, workflow, e2e
	@$(call with,$(all)) NO_SKIPS=1 python -m pytest

test-full: ## Run the tests, then random runs of the workflow (10,000 unless EXAMPLES says otherwise) and all mutants
	@$(call with,$(all) checkov) NO_SKIPS=1 python -m pytest -m "" --hypothesis-profile default && \
	  MODEL_EXAMPLES="$${typed_EXAMPLES:-10000}" python -m pytest tests/workflow/test_random_runs.py -n 0 --hypothesis-profile default && \
	  python -W ignore -m tests.workflow.mutants

lint: ## Check format, types, security, the template and the state machines
	@$(call with,$(all)) ruff check . && ruff format --check . && mypy && \
	  bandit --quiet --recursive app.py bench cli infra lambdas local && \
	  cdk synth --quiet --no-notices --output .local/cdk.out && \
	  cfn-lint --template .local/cdk.out/*.template.json docs/examples/parent.template.json && \
	  python -m cli.definition .local && asl-validator $(foreach name,start_image_builder stop_image_builder start_fleet,--json-path .local/$(name).asl.json)

audit: ## Look for known vulnerabilities in what is locked
	@$(call with,lint) for lock in requirements-dev.txt lambdas/requirements.txt local/requirements.txt; do \
	  pip-audit --strict --disable-pip --require-hashes --progress-spinner off --requirement $$lock || exit 1; done

synth: ## Synthesize the CloudFormation template into cdk.out/
	@$(call with,app node) cdk synth --quiet --no-notices

bootstrap: ## Prepare the AWS account and Region of your credentials for the CDK, once
	@$(call with,app node) python -m cli.account && cdk bootstrap --no-notices

deploy: ## Show the difference, ask, then deploy to the AWS account of your credentials
	@$(call with,app node) python -m cli.account && python -m cli.preflight && \
	  cdk diff --no-notices && cdk deploy --no-notices --require-approval any-change

verify: ## Play recorded runs on AWS's own interpreter; starts and changes nothing
	@$(call with,app demo) python -m cli.verify

smoke: ## Check a deployment; with NAME by a dry run, with NOTIFY=yes by a test notification
	@$(call with,app demo) python -m cli.smoke $(options)

rollback: ## Move the aliases onto what was deployed last, with TO=previous onto what was before
	@$(call with,app demo) python -m cli.rollback $(options)

pause: ## Disable the deployment's schedules and triggers
	@$(call with,app demo) python -m cli.pause pause

resume: ## Enable them again
	@$(call with,app demo) python -m cli.pause resume

auto-stops: ## List the auto-stops that are pending
	@$(call with,app demo) python -m cli.auto_stops list $(options)

extend-auto-stop: ## Stop NAME so many MINUTES from now instead
	@$(call with,app demo) python -m cli.auto_stops extend $(options)

cancel-auto-stop: ## Cancel the auto-stop of NAME
	@$(call with,app demo) python -m cli.auto_stops cancel $(options)

destroy: ## Stop what runs, then remove the deployment
	@$(call with,app demo node) python -m cli.account && python -m cli.destroy

docs: ## Write the parts of the documentation that come from the code
	@$(call with,$(all)) python -W ignore -m bench.write_docs

bench: ## Measure every figure of the documentation again
	@$(call with,$(all)) python -W ignore -m bench.write_docs --measure

compile := uv pip compile --quiet --generate-hashes --no-header --no-annotate --no-emit-index-url
universal := $(compile) --universal --python-version 3.11
lock: ## Lock the dependencies of pyproject.toml
	@$(call with) $(universal) pyproject.toml $(foreach group,setup demo test lint bench docs,--group $(group)) --output-file requirements-dev.txt && \
	  $(universal) pyproject.toml --constraints requirements-dev.txt --output-file requirements.txt && \
	  $(compile) --python-version 3.13 --python-platform aarch64-manylinux2014 --group functions --constraints requirements.txt --output-file lambdas/requirements.txt && \
	  $(universal) --group emulator --output-file local/requirements.txt && \
	  $(universal) --group checkov --output-file bench/requirements.txt

clean: ## Remove everything that these commands have written here
	@rm -rf .venv .venv-ministack .venv-checkov node_modules cdk.out .local .pytest_cache .mypy_cache .ruff_cache .hypothesis
