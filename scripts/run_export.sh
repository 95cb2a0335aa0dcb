#!/usr/bin/env bash
# Export a checkpoint and show that the file detects: draws its detections on some pictures.
#   scripts/run_export.sh                                     the quickstart's network and pictures
#   scripts/run_export.sh CHECKPOINT FOLDER PICTURE... [-- OPTION...]   options go to export.py
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

checkpoint=${1:-runs/sample/best.safetensors}
folder=${2:-runs/sample/served}
shift $(($# < 2 ? $# : 2))
pictures=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    pictures+=("$1")
    shift
done
[ $# -eq 0 ] || shift
[ ${#pictures[@]} -gt 0 ] || pictures=(data/sample/val/0512_0000.png)
[ -e "$checkpoint" ] || fail "there is no checkpoint $checkpoint; scripts/quickstart.sh trains one"

prepare_environment requirements.txt
python export.py --checkpoint "$checkpoint" --out "$folder/detector.mindir" "$@" \
    --pictures "${pictures[@]}"
python predict.py --model "$folder" --out "$folder/drawn" "${pictures[@]}"
echo "on a machine with CANN and MindSpore Lite, one of these converts for Ascend:"
for device in 910B 310P; do
    python scripts/convert_lite.py "$folder"/*.mindir --device "$device" --out "$folder/$device" \
        --print || echo "(not for $device)"
done
echo "look at $folder/drawn; docs/deploy.md goes on from here"
