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
# a process each: MindSpore keeps the memory of every compiled network until the process ends;
# two files at a time, the training steps, which take most memory, being in one file
collected=$(pytest -q "$@" -m large --collect-only) || [ $? -eq 5 ] || status=1
files=$(sed -n 's/::.*//p' <<<"$collected" | sort -ur) # backwards: the longest starts early
run_large_file() {
    local result=0 name
    while read -r name; do
        OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} pytest -q "$1::$name" </dev/null || result=1
    done < <(sed -n "s|^$1::||p" <<<"$collected")
    return "$result"
}
export -f run_large_file
export collected
if [ -n "$files" ]; then
    any_ran=yes
    xargs -P 2 -I FILE bash -c 'run_large_file FILE' <<<"$files" || status=1
elif [ $# -eq 0 ]; then
    status=1
fi
[ "$any_ran" = yes ] || status=1
exit "$status"
