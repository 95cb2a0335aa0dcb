"""Evaluating an exported file: the way of a checkpoint, but what runs the graph is its engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import mindspore as ms
import numpy as np

from focus_detr.config.schema import Config
from focus_detr.data.buckets import Size
from focus_detr.data.build import build_eval_loader
from focus_detr.data.classes import ClassMap
from focus_detr.deploy.runner import ExportedPredictor, ModelFile
from focus_detr.deploy.sidecar import Sidecar
from focus_detr.distributed.world import join_world
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.evaluator import Evaluator

_UNKNOWN = -1  # category id of a class that the data lacks


class ExportedNetwork:
    """Files of one export in the place of a checkpoint's network."""

    def __init__(self, files: Mapping[Size, ModelFile]) -> None:
        """Take the file of each image shape (H, W)."""
        self._files = files

    def __call__(self, images: ms.Tensor, image_sizes: ms.Tensor) -> tuple[np.ndarray, ...]:
        """Detect.

        Args:
            images: [B, 3, H, W] float32; whole numbers where the files take pixels, otherwise
                normalised.
            image_sizes: [B, 2] int32, (height, width) inside the padding.

        Returns:
            Scores [B, R], labels [B, R], boxes [B, R, 4] in 0..1 of each image, and tokens if the
            files tell them.
        """
        pixels, sizes = images.asnumpy(), image_sizes.asnumpy().astype(np.int32)
        file = self._files[pixels.shape[2], pixels.shape[3]]
        graph = file.sidecar.graph
        if graph.images == "pixels":
            pixels = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)).astype(np.uint8)
        inputs = [pixels, sizes]
        if graph.boxes == "pixels":
            inputs.append(np.ones_like(sizes))  # a picture of one pixel has boxes in 0..1
        return file.loaded().run(*inputs)


def open_exported_evaluation(
    config: Config, predictor: ExportedPredictor, batch_size: int | None = None
) -> Evaluator:
    """Load the validation data as an export takes it.

    If a launcher started this process, it becomes one of the workers that share the images.

    Args:
        config: its data and ``eval`` count; how pictures are resized and normalised is the
            export's.
        predictor: the opened export.
        batch_size: images per batch of a worker; None: as many as the files take, or those of the
            settings if they take any number.

    Raises:
        FocusDetrError: bad data, data without any class of the export, a batch size that the files
            do not take, or settings that ask for what files do not tell.
    """
    if config.eval.correlation:
        raise FocusDetrError(
            "eval.correlation is true, but an exported file does not tell where its decoder looks: "
            "evaluate the checkpoint"
        )
    sidecar = predictor.sidecar
    batch = _batch(sidecar.graph.batch, batch_size, config.eval.batch_size)
    world = join_world()
    seen = _as_exported(config, sidecar, tuple(predictor.files))
    loader = build_eval_loader(seen, batch_size=batch, rank=world.rank, world_size=world.size)
    annotations = loader.dataset.annotations
    return Evaluator(
        loader.epoch(0),
        ExportedNetwork(predictor.files),
        _category_ids(sidecar.class_names, annotations.classes, str(annotations.source)),
        annotations,
        len(loader),
        predictor.suppression,
        world,
        max_detections=config.eval.max_detections,
    )


def _batch(taken: int | None, asked: int | None, usual: int) -> int:
    if asked is not None and asked < 1:
        raise FocusDetrError(f"the batch size must be at least 1, got {asked}")
    if taken is not None and asked not in (None, taken):
        raise FocusDetrError(
            f"--batch-size {asked} does not fit: the exported model takes {taken} at once"
        )
    return taken or asked or usual


def _as_exported(config: Config, sidecar: Sidecar, shapes: tuple[Size, ...]) -> Config:
    """The settings with what the export says about pictures; graphs take pixels as they are."""
    normalised = sidecar.graph.images == "normalised"
    backbone = replace(
        config.model.backbone,
        pixel_mean=sidecar.pixel_mean if normalised else (0.0, 0.0, 0.0),
        pixel_std=sidecar.pixel_std if normalised else (1.0, 1.0, 1.0),
    )
    data = replace(
        config.data,
        test_short_side=sidecar.short_side,
        test_max_side=sidecar.max_side,
        shape_buckets=shapes,
    )
    model = replace(config.model, backbone=backbone, num_classes=None)
    return replace(config, data=data, model=model)


def _category_ids(names: tuple[str, ...], data: ClassMap, source: str) -> tuple[int, ...]:
    """The category id of each label, by the class's name, as exports do not keep ids.

    Roboflow's files of one class have it twice: then the first of the export is the first of the
    data, and so on.
    """
    ids: dict[str, list[int]] = {}
    for name, category in zip(data.names, data.category_ids, strict=True):
        ids.setdefault(name, []).append(category)
    if not ids.keys() & set(names):
        raise FocusDetrError(
            f"{source} has no class of the exported model, which knows {', '.join(names[:5])}"
        )
    places = (names[:label].count(name) for label, name in enumerate(names))
    return tuple(
        ids[name][min(place, len(ids[name]) - 1)] if name in ids else _UNKNOWN
        for name, place in zip(names, places, strict=True)
    )
