#!/usr/bin/env bash
# Check style and types and run the tests, in an environment that this script makes.
# All of them run, so that one report tells everything; any failure fails the script.
# Arguments choose tests:  scripts/run_tests.sh tests/config
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

status=0
any_ran=no

# run_pytest ARGUMENT...: finding nothing to run (5) is no failure, as not every choice has both kinds
run_pytest() {
    local result=0
    pytest -q "$@" || result=$?
    [ "$result" -ne 5 ] || return 0
    any_ran=yes
    [ "$result" -eq 0 ] || status=1
}

prepare_environment requirements-dev.txt
ruff check . || status=1
ruff format --check . || status=1
mypy || status=1
# two at a time, each on one core: most of their time is compilation, which uses one
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} run_pytest "$@" -m "not large" --numprocesses 2 --dist loadfile
# a process each: MindSpore keeps the memory of every compiled network until the process ends
collected=$(pytest -q "$@" -m large --collect-only) || [ $? -eq 5 ] || status=1
mapfile -t large < <(grep '::' <<<"$collected")
for test in "${large[@]}"; do
    run_pytest "$test"
done
[ $# -gt 0 ] || [ ${#large[@]} -gt 0 ] || status=1
[ "$any_ran" = yes ] || status=1
exit "$status"
