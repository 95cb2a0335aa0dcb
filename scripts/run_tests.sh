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
# two at a time, each on one core: most of their time is compilation, which uses one; in the order
# of folders, as by number of tests the few long ones would come last and leave a core idle
OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} run_pytest "$@" -m "not large" --numprocesses 2 \
    --dist loadfile --no-loadscope-reorder
# a process each: MindSpore keeps the memory of every compiled network until the process ends;
# two files at a time, the training steps, which take most memory, being in one file
chosen=("$@")
# collecting all tests takes ten seconds
[ $# -gt 0 ] || mapfile -t chosen < <(grep -rlF --include='test_*.py' mark.large tests)
collected=$(pytest -q "${chosen[@]}" -m large --collect-only) || [ $? -eq 5 ] || status=1
files=$(sed -n 's/::.*//p' <<<"$collected" | sort -ur) # backwards: the longest starts early

# share_of FILE: how many of its tests of small networks share a process, `large(together=3)`
share_of() {
    sed -n '/.*mark\.large(together=\([0-9]*\)).*/{s//\1/p;q}' "$1"
}

# list_jobs: FILE for one of full-size networks; after those FILE FIRST COUNT for each share of
# another, short enough to keep both cores busy to the end
list_jobs() {
    local file share count first shares=()
    while read -r file; do
        share=$(share_of "$file")
        if [ -z "$share" ]; then
            echo "$file"
            continue
        fi
        count=$(grep -c "^$file::" <<<"$collected")
        for ((first = 0; first < count; first += share)); do
            shares+=("$file $first $share")
        done
    done <<<"$files"
    [ ${#shares[@]} -eq 0 ] || printf '%s\n' "${shares[@]}"
}

# run_large_tests FILE [FIRST COUNT]: each test in a process of its own, or those together
run_large_tests() {
    local result=0 name names
    mapfile -t names < <(grep "^$1::" <<<"$collected")
    if [ $# -gt 1 ]; then
        pytest -q "${names[@]:$2:$3}" </dev/null
        return
    fi
    for name in "${names[@]}"; do
        pytest -q "$name" </dev/null || result=1
    done
    return "$result"
}
export -f run_large_tests
export collected OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
if [ -n "$files" ]; then
    any_ran=yes
    list_jobs | xargs -P 2 -L 1 bash -c 'run_large_tests "$@"' _ || status=1
elif [ $# -eq 0 ]; then
    status=1
fi
[ "$any_ran" = yes ] || status=1
exit "$status"
