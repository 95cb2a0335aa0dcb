#!/usr/bin/env bash
# From nothing to a trained detector: fetch photographs, train, evaluate, draw.
# Interrupted, it goes on where it stopped when run again; finished, it only evaluates and draws.
# Arguments are settings for train.py and eval.py:  scripts/quickstart.sh train.log_every=1
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/environment.sh

config=config/sample.yaml
graphs=runs/graphs # as the settings have it
run=runs/sample
sample=data/sample
backbone=$sample/efficientnet_lite0.safetensors
# tiles of the photograph that training never sees
pictures=("$sample"/val/{0512_0000,0768_0000,0000_0512}.png)

step() {
    printf '\n== %s\n' "$1"
}

train() {
    local resume=() status=0
    if [ -e $run/last.safetensors ]; then resume=(--resume); fi
    python train.py --config $config --progress "${resume[@]}" "$@" || status=$?
    if [ $status -eq 130 ]; then echo "run scripts/quickstart.sh again to go on" >&2; fi
    return $status
}

percent() { # NAME of a metric: its value
    python - $run/metrics.json "$1" <<'END'
import json, sys

with open(sys.argv[1]) as file:
    print(round(100 * json.load(file)["metrics"][sys.argv[2]], 1))
END
}

step "1 of 5: Python packages"
prepare_environment requirements.txt

step "2 of 5: photographs and ImageNet weights"
python scripts/fetch_sample_data.py
if [ ! -e $backbone ]; then
    python scripts/convert_weights.py $sample/weights/efficientnet-lite0-57934424.pth $backbone
fi

step "3 of 5: training"
train "$@"

step "4 of 5: evaluation on the photograph that training never saw"
python eval.py --config $config --checkpoint $run/best.safetensors --json $run/metrics.json "$@"

step "5 of 5: pictures"
python predict.py --checkpoint $run/best.safetensors --graphs $graphs --out $run/pictures --tokens \
    "${pictures[@]}"

ap50=$(percent AP50)
ap=$(percent AP)
cat <<END

AP50 $ap50, AP $ap. Minutes spent: $(((SECONDS + 30) / 60)).

Look at        $run/pictures  (NAME.png: the boxes; NAME_tokens.png: where the encoder looked)
Weights        $run/best.safetensors
Training log   $run/log.txt, $run/metrics.jsonl, $run/tensorboard

What next (first: source .venv/bin/activate)
  your photos  python predict.py --checkpoint $run/best.safetensors --graphs $graphs \\
               --out drawn PHOTO_OR_FOLDER
  your data    write config/mine.yaml as docs/data.md shows, then
               python train.py --config config/mine.yaml
  COCO         python train.py --config config/focus_detr_r50.yaml  (docs/training.md)
  published    python scripts/convert_weights.py PUBLISHED.pth OURS.safetensors --recipe r50_12ep
               (docs/weights.md: which recipe)
END
