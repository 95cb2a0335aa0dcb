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

check_source() {
    local result=0
    ruff check . || result=1
    ruff format --check . || result=1
    mypy || result=1
    return "$result"
}

prepare_environment requirements-dev.txt
# one thread each, and two processes at a time: most of the time is compilation, which uses one core
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
check_source &
checks=$!
jobs=$(mktemp)
trap 'rm -f "$jobs"' EXIT
# what tests/large_jobs.py writes: the arguments of a pytest to a line; one word, as pytest takes
# the name of a file that is there for tests
run_pytest "$@" -m large --jobs="$jobs"
wait "$checks" || status=1
# in the order of folders, as by number of tests the few long ones would come last
run_pytest "$@" -m "not large" --numprocesses 2 --dist loadfile --no-loadscope-reorder
xargs -r -P 2 -L 1 pytest -q <"$jobs" || status=1
[ -s "$jobs" ] || [ $# -gt 0 ] || status=1 # all tests have large ones
[ "$any_ran" = yes ] || status=1
exit "$status"
