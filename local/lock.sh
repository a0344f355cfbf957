#!/usr/bin/env bash
# Lock every requirements file: each package at one version, with the hashes of its files.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() { uv pip compile --quiet --generate-hashes --no-header --no-emit-index-url --no-annotate "$@"; }

lock requirements-dev.in --python-version 3.11 --output-file requirements-dev.txt
lock requirements.in --python-version 3.11 --constraints requirements-dev.txt --output-file requirements.txt
lock local/requirements.in --python-version 3.11 --output-file local/requirements.txt
lock lambdas/requirements.in --python-version 3.14 --universal --output-file lambdas/requirements.txt
