"""A checkpoint's detections on a drawn picture, and the losses of a step from its weights."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
import numpy as np

from focus_detr.config.schema import Config
from focus_detr.data.random_batch import random_batch
from focus_detr.device_check.attention import Numbers
from focus_detr.export.pictures import draw_picture
from focus_detr.inference.loading import load_detector
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.predictor import Predictor
from focus_detr.models.factory import build_training_loss
from focus_detr.training.inputs import StepInputs
from focus_detr.training.train_step import TrainStep
from focus_detr.training.update import build_update
from focus_detr.weights.checkpoint import Checkpoint, load_into, model_tensors

PICTURE = (480, 640)
_BATCH_SIDES = (128, 160)  # of the step's two images, pixels


def detection_numbers(checkpoint: Path) -> Numbers:
    """Boxes [R, 4] in pixels, scores [R] and labels [R] in one drawn picture.

    Raises:
        FocusDetrError: not a checkpoint of a detector.
    """
    found = Predictor.from_checkpoint(checkpoint).predict(draw_picture(*PICTURE, seed=0)).detections
    return {"boxes": found.boxes, "scores": found.scores, "labels": found.labels}


def detections_of(numbers: Numbers) -> Detections:
    """What ``detection_numbers`` took apart."""
    return Detections(numbers["boxes"], numbers["scores"], numbers["labels"])


def training_numbers(checkpoint: Path) -> Numbers:
    """Losses and gradient norm of a step on two random images with ten boxes each.

    Raises:
        FocusDetrError: not a checkpoint of a detector.
    """
    loaded = load_detector(checkpoint, fold=False)
    config = Config(model=loaded.model, data=loaded.data)
    loss = build_training_loss(config, loaded.num_classes)
    load_into(loss.model, Checkpoint(model_tensors(loaded.cell.model), {}))
    step = TrainStep(loss, build_update(loss.model, config.train)).set_train()
    inputs = StepInputs(config.train.seed, config.denoising.number, loaded.num_classes)
    batch = inputs(random_batch(config, loaded.num_classes, *_BATCH_SIDES), 0)
    total, parts, norm, _ = step(ms.Tensor(config.train.optimizer.lr, ms.float32), *batch)
    losses = np.append(parts.asnumpy(), total.asnumpy())
    return {"losses": losses, "norm of all gradients": norm.asnumpy()}
