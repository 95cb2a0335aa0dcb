#!/usr/bin/env bash
# Evaluate a checkpoint on one device:
#
#     scripts/run_eval.sh CONFIG CHECKPOINT [--json FILE] [--results-out FILE] [--batch-size B]
#         [--device CPU|GPU|Ascend] [key=value ...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launching.sh"
need_words 2 "$@"
run_named "--config --checkpoint" "$repository/eval.py" "$@"
