#!/usr/bin/env bash
# Check style and types and run the tests, in an environment that this script makes.
# Arguments go to pytest:  scripts/run_tests.sh tests/config
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

prepare_environment requirements-dev.txt
ruff check .
ruff format --check .
mypy
pytest -q "$@"
