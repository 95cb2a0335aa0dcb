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
if [ $# -gt 0 ]; then
    pytest -q "$@" || status=$?
else
    pytest -q -m "not large" || status=$?
    # a process each: MindSpore keeps the memory of every compiled network until the process ends
    collected=$(pytest -q -m large --collect-only) || status=$?
    mapfile -t large < <(grep '::' <<<"$collected")
    [ ${#large[@]} -gt 0 ] || status=1
    for test in "${large[@]}"; do
        pytest -q "$test" || status=$?
    done
fi
exit "$status"
