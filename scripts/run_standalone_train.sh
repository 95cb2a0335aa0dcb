#!/usr/bin/env bash
# Train on one device:
#
#     scripts/run_standalone_train.sh CONFIG [--resume] [--device CPU|GPU|Ascend] [key=value ...]
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/launching.sh"
need_words 1 "$@"
run_named --config "$repository/train.py" "$@"
