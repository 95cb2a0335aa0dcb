"""A run with every option of the training step, started again and again until it gets to its end.

Its compiled graphs are kept in its folder.

python tests/killed_run.py FOLDER
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import focus_detr  # noqa: F401  (sets the oneDNN limit before MindSpore loads)

import mindspore as ms  # isort: skip
from tiny_training import TinyLoader, TinyRun

from focus_detr.config.schema import ParameterGroup
from focus_detr.graph_cache.store import GraphStore
from focus_detr.training.run_folder import RunFolder

UPDATES = 60
_PAUSE_S = 0.01  # before each batch, so that a kill may strike between two saves


def run_with_everything(folder: Path, pause_s: float = 0.0) -> TinyRun:
    """Two epochs, saved after each update; the third update of the second one is skipped."""
    count = 2
    return TinyRun(
        folder,
        checkpoint_every=1,
        keep_checkpoints=2,
        accumulate=count,
        precision="fp16",
        ema_decay=0.9,
        groups=(ParameterGroup("embed", lr_factor=0.5),),
        freeze=("norm",),
        loader=TinyLoader(
            batches=UPDATES // 2 * count,
            poison=(1, 2 * count),
            before=lambda epoch, batch: time.sleep(pause_s),
        ),
    )


def main(folder: Path) -> None:
    """Start or go on."""
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    run = run_with_everything(folder, _PAUSE_S)
    if RunFolder(folder).has_run():
        run.model_seed = 9  # what was drawn must not matter
        trainer = run.resumed()
    else:
        trainer = run.trainer()
    trainer.parts.step.keep_graphs(GraphStore(folder / "graphs", "run"))
    trainer.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
