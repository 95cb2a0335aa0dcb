"""A checkpoint's numbers for a drawn picture, and losses and gradients at its weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from mindspore import ops

from focus_detr.comparing.given_selections import GivenSelections
from focus_detr.comparing.guided_detector import GuidedDetector
from focus_detr.comparing.pictures import draw_picture
from focus_detr.config.schema import Config, DenoisingConfig, ModelConfig
from focus_detr.data.random_batch import random_batch
from focus_detr.device_check.told import Numbers, selections_of, told, told_lists
from focus_detr.inference.loading import load_detector
from focus_detr.inference.predictor import preparation
from focus_detr.losses.factory import build_training_loss
from focus_detr.models.detector import Detector
from focus_detr.models.detr import DETR
from focus_detr.training.inputs import step_inputs
from focus_detr.weights.checkpoint import Checkpoint, load_into, model_tensors

PICTURE = (480, 640)
_BATCH_SIDES = (128, 160)  # of the step's two images, pixels


def detection_numbers(checkpoint: Path, choices: Numbers | None = None) -> Numbers:
    """Selections and detections in one drawn picture, as ``told.told`` names them.

    Args:
        checkpoint: of a detector.
        choices: what another device told of itself, to choose as it did; None: choose freely.

    Raises:
        FocusDetrError: not a checkpoint of a detector.
    """
    loaded = load_detector(checkpoint)
    picture = draw_picture(*PICTURE, seed=0)
    detector = GuidedDetector(loaded, preparation(loaded.data)(picture).bucket)
    given = None if choices is None else selections_of(choices)
    return told(detector.names, detector.compute(picture, given))


def training_numbers(checkpoint: Path, choices: Numbers | None = None) -> Numbers:
    """Losses by name, the gradients of each part of the network in one array, and the selections.

    They are of two random images with ten boxes each. Which query is matched to which box every
    network chooses for itself.

    Args:
        checkpoint: of a detector.
        choices: as for ``detection_numbers``.

    Raises:
        FocusDetrError: not a checkpoint of a detector.
    """
    loaded = load_detector(checkpoint, fold=False)
    denoising = _denoising(loaded.model)
    config = Config(model=loaded.model, data=loaded.data, denoising=denoising)
    loss = build_training_loss(config, loaded.num_classes)
    load_into(loss.model, Checkpoint(model_tensors(loaded.cell.model), {}))
    inputs = step_inputs(config, loaded.num_classes, branches=loss.branches)
    batch = inputs(random_batch(config, loaded.num_classes, *_BATCH_SIDES), 0)
    lists = _StepLists(loaded.cell, loss.model, batch[0].shape)
    lists.give(choices)
    weights = loss.model.trainable_params()
    step = ops.value_and_grad(loss.set_train(), None, weights, has_aux=True)
    (_, parts), gradients = step(*batch)
    losses = {f"loss {n}": p for n, p in zip(loss.loss_names, parts.asnumpy(), strict=True)}
    names = [weight.name for weight in weights]
    by_part = _by_part(names, [gradient.asnumpy() for gradient in gradients])
    return losses | by_part | lists.told()


class _StepLists:
    """The selections of a training step, those of each picture under names of their own."""

    def __init__(self, detector: Detector, model: DETR, shape: Sequence[int]) -> None:
        """Put them into the model, for images [B, 3, H, W] of this shape."""
        detector.model = model
        self._pictures, _, height, width = shape
        self._given = GivenSelections(detector, height, width, self._pictures)
        self._names = self._given.names[:-1]  # the last ones are detections, which no step has

    def give(self, choices: Numbers | None) -> None:
        """For the next step: what another device told, or None."""
        if choices is None:
            return self._given.give(None)
        rows = [item.places for item in selections_of(choices)]  # picture by picture
        lists = len(self._names)
        return self._given.give([*(np.stack(rows[i::lists]) for i in range(lists)), None])

    def told(self) -> dict[str, np.ndarray]:
        """Of the last step."""
        numbers: dict[str, np.ndarray] = {}
        for picture in range(self._pictures):
            names = [f"{name}, picture {picture + 1}" for name in self._names]
            numbers |= told_lists(names, self._given.seen(picture)[:-1])
        return numbers


def _denoising(model: ModelConfig) -> DenoisingConfig:
    """Denoising queries as the network was published with."""
    if model.queries.source == "learned_anchors":
        return DenoisingConfig("dn", number=5 if model.label_rows != "none" else 0)
    if model.queries.source in ("mixed", "two_stage_mixed"):
        return DenoisingConfig()
    return DenoisingConfig(number=0)


def _by_part(names: Sequence[str], gradients: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The gradients of backbone, encoder and so on: the first words of the weights' names."""
    parts: dict[str, list[np.ndarray]] = {}
    for name, gradient in zip(names, gradients, strict=True):
        parts.setdefault(name.partition(".")[0], []).append(gradient.ravel())
    return {f"gradient of {part}": np.concatenate(arrays) for part, arrays in parts.items()}
