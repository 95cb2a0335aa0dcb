"""Puts an evaluation together from the settings and a checkpoint."""

from __future__ import annotations

from pathlib import Path

from focus_detr.config.schema import Config
from focus_detr.data.build import build_eval_loader
from focus_detr.distributed.world import join_world
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.correlation_meter import CorrelationMeter
from focus_detr.evaluation.evaluator import Evaluator
from focus_detr.inference.loading import load_detector
from focus_detr.inference.postprocess import Suppression


def open_evaluation(
    config: Config, checkpoint: str | Path, batch_size: int, precision: str | None = None
) -> Evaluator:
    """Load the checkpoint and the validation data.

    If a launcher started this process, it becomes one of the workers that share the images.

    Args:
        config: all settings; its model has to fit the checkpoint.
        checkpoint: weights; their class map decides the category ids.
        batch_size: images per batch of a worker.
        precision: as for ``load_detector``.

    Raises:
        FocusDetrError: a bad checkpoint, bad data, or a batch size below 1.
    """
    if batch_size < 1:
        raise FocusDetrError(f"the batch size must be at least 1, got {batch_size}")
    world = join_world()
    measures = config.eval.correlation
    loaded = load_detector(checkpoint, config.model, precision=precision, tells_attention=measures)
    if not measures:  # kept graphs are known by the settings of the network, and these are larger
        loaded.keep_graphs(config.train.compile_cache, world)
    loader = build_eval_loader(
        config,
        batch_size=batch_size,
        classes=loaded.classes,
        rank=world.rank,
        world_size=world.size,
    )
    category_ids = loaded.classes.category_ids
    return Evaluator(
        loader.epoch(0),
        loaded.cell,
        category_ids,
        loader.dataset.annotations,
        len(loader),
        Suppression(loaded.model.overlap_limit, loaded.model.max_detections),
        world,
        max_detections=config.eval.max_detections,
        correlation=CorrelationMeter() if measures else None,
    )
