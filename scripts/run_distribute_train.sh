#!/usr/bin/env bash
# Train with N workers on this machine, one for each device:
#
#     scripts/run_distribute_train.sh N CONFIG [--resume] [--device CPU|GPU|Ascend] [key=value ...]
#
# On several machines, the same on each with its own K from 0; N are the workers of one machine:
#
#     scripts/run_distribute_train.sh N CONFIG --nodes 2 --node-rank K --master ADDRESS [--port 8118]
#
# docs/training.md explains the rest.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launching.sh"
need_words 2 "$@"
launch train "$@"
