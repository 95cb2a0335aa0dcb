#!/usr/bin/env bash
# Evaluate with N workers on this machine, which share the images:
#
#     scripts/run_distribute_eval.sh N CONFIG CHECKPOINT [--json FILE] [--results-out FILE]
#         [--batch-size B] [--device CPU|GPU|Ascend] [key=value ...]
#
# On several machines as with scripts/run_distribute_train.sh.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launching.sh"
need_words 3 "$@"
launch eval "$@"
