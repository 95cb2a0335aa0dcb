#!/usr/bin/env bash
# Check style and types and run the tests, in an environment that this script makes.
# All of them run, so that one report tells everything; any failure fails the script.
# Arguments go to pytest:  scripts/run_tests.sh tests/config
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

prepare_environment requirements-dev.txt
status=0
ruff check . || status=1
ruff format --check . || status=1
mypy || status=1
pytest -q "$@" || status=$?
exit "$status"
