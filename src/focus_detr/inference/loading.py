"""A detector from a checkpoint file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from focus_detr.config.loading import config_from_dict
from focus_detr.config.schema import Config, DataConfig, ModelConfig
from focus_detr.data.class_names import clean_name
from focus_detr.data.classes import ClassMap
from focus_detr.distributed.world import SINGLE, World
from focus_detr.errors import FocusDetrError
from focus_detr.graph_cache.opening import open_graphs
from focus_detr.models.backbones.frozen_conv import fold_norms
from focus_detr.models.detection_precision import detect_in_bfloat16
from focus_detr.models.detector import Detector
from focus_detr.models.factory import build_detector
from focus_detr.weights.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_into,
    model_tensors,
    read_metadata,
)
from focus_detr.weights.stored_settings import TRAINING_ONLY, differences, stored_model

_log = logging.getLogger(__name__)

# Settings that may differ between training and use without a word.
_FREE = TRAINING_ONLY | {
    "model.num_classes",
    "model.max_detections",
    "model.overlap_limit",
    "model.overlap_candidates",
    "model.backbone.freeze_at",
    "model.backbone.drop_path",
    "model.padding.training",
}


@dataclass(frozen=True)
class LoadedDetector:
    """A detector with its weights, and what its labels mean."""

    cell: Detector
    model: ModelConfig
    classes: ClassMap
    data: DataConfig  # with the test size that the training evaluated at

    @property
    def num_classes(self) -> int:
        """Of the class heads."""
        return self.model.num_classes or len(self.classes)

    def keep_graphs(self, folder: str | None, world: World = SINGLE) -> None:
        """Start with graphs that an earlier process compiled, and leave new ones to later ones.

        They depend on the network's settings alone, so that evaluation, prediction and demo share
        them.

        Args:
            folder: of compiled graphs; None: compile at every start.
            world: the workers that share the images.
        """
        model = replace(self.model, num_classes=self.num_classes)
        self.cell.keep_graphs(open_graphs(folder, Config(model=model), world))


def load_detector(
    path: str | Path,
    model: ModelConfig | None = None,
    *,
    fold: bool = True,
    precision: str | None = None,
    tells_attention: bool = False,
) -> LoadedDetector:
    """Build the detector of a checkpoint, also of a training state, and load its weights.

    It is for inference.

    Args:
        path: checkpoint with class names, category ids and model settings.
        model: settings to use instead of the stored ones; differences are warned about, since
            some (such as the position embedding) spoil the weights without an error.
        fold: work the frozen norms into the kernels before them, which is faster.
        precision: of the large products: None or f32, or bf16.
        tells_attention: the detector tells where its decoder looks.

    Raises:
        FocusDetrError: not a checkpoint of a detector, it does not fit ``model``, or nothing here
            computes in that precision.
    """
    checkpoint = load_checkpoint(Path(path))
    classes = _classes(path, checkpoint.metadata)
    stored = _stored_model(path, checkpoint.metadata)
    if model is not None:
        _warn_differences(path, stored, model)
    chosen = model or stored
    num_classes = chosen.num_classes or len(classes)
    detector = build_detector(chosen, num_classes, tells_attention=tells_attention)
    load_into(detector.model, checkpoint)
    if fold:
        fold_norms(detector.model)
    if precision == "bf16":
        detect_in_bfloat16(detector.model)
    return LoadedDetector(detector, chosen, classes, _stored_data(path, checkpoint.metadata))


def network_settings(path: str | Path) -> ModelConfig:
    """Settings of a checkpoint's network; its weights are not read.

    Raises:
        FocusDetrError: not a checkpoint of a detector.
    """
    return _stored_model(path, read_metadata(path))


def folded_copy(loaded: LoadedDetector) -> LoadedDetector:
    """Another detector of the same weights, the frozen norms worked into its kernels.

    Args:
        loaded: as ``load_detector`` returns it with ``fold=False``.
    """
    detector = build_detector(loaded.model, loaded.num_classes)
    load_into(detector.model, Checkpoint(model_tensors(loaded.cell.model), {}))
    fold_norms(detector.model)
    return replace(loaded, cell=detector)


def _classes(path: str | Path, metadata: Mapping[str, Any]) -> ClassMap:
    names, category_ids = metadata.get("class_names"), metadata.get("category_ids")
    if not names or not category_ids or len(names) != len(category_ids):
        raise FocusDetrError(
            f"checkpoint {path} does not say which classes it detects "
            "(class_names and category_ids in its metadata)"
        )
    return ClassMap(tuple(map(clean_name, names)), tuple(category_ids))


def _stored_model(path: str | Path, metadata: Mapping[str, Any]) -> ModelConfig:
    stored = stored_model(metadata, f"checkpoint {path}")
    if stored is None:
        raise FocusDetrError(f"checkpoint {path} has no model settings in its metadata")
    return stored


def _stored_data(path: str | Path, metadata: Mapping[str, Any]) -> DataConfig:
    return config_from_dict({"data": metadata.get("data", {})}, f"checkpoint {path}").data


def _warn_differences(path: str | Path, stored: ModelConfig, used: ModelConfig) -> None:
    for difference in differences(stored, used):
        if difference.name not in _FREE:
            _log.warning("%s was trained with %s", path, difference)
