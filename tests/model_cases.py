"""Models and inputs of the tests: the golden cases at full size, and one that is small."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from golden_data import image_for, manifest, weight_for
from mindspore import Tensor, nn
from mindspore.nn.utils import no_init_parameters

from focus_detr.config.schema import (
    BackboneConfig,
    DecoderConfig,
    EncoderConfig,
    ModelConfig,
    PaddingConfig,
    PositionConfig,
)
from focus_detr.data.noise import draw_noise
from focus_detr.models import factory
from focus_detr.models.denoising.slots import slot_count
from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.models.maps import channels_last
from focus_detr.weights.naming import is_ignored, to_ours

SMALL_CLASSES = 5
SMALLEST_BACKBONE = BackboneConfig("resnet18", width_factor=0.125, depths=(1, 1, 1, 1))
_TARGETS = 6  # padded boxes of an image in a training batch
GOLDEN_BACKBONES = {
    "r50": BackboneConfig(),
    "r101": BackboneConfig("resnet101"),
    "swin_tiny": BackboneConfig("swin_tiny", freeze_at=0),
    "swin_base_224": BackboneConfig("swin_base", freeze_at=0),
    "swin_base_384": BackboneConfig("swin_base", freeze_at=0, window=12),
}


def small_config(**changes: Any) -> ModelConfig:
    """A network of the same classes that compiles in seconds; ``changes`` replace fields."""
    config = ModelConfig(
        width=32,
        heads=4,
        backbone=BackboneConfig(name="resnet50", width_factor=0.125, depths=(1, 1, 1, 1)),
        encoder=EncoderConfig(
            layers=2, ffn_width=48, points=2, cascade=(1.0, 0.5), object_tokens=20
        ),
        decoder=DecoderConfig(layers=2, ffn_width=48, points=2, queries=30),
        max_detections=20,
    )
    return replace(config, **changes)


@contextmanager
def pynative() -> Iterator[None]:
    """Run cells operation by operation, where compiling a graph would take most of the time."""
    ms.set_context(mode=ms.PYNATIVE_MODE)
    try:
        yield
    finally:
        ms.set_context(mode=ms.GRAPH_MODE)


@contextmanager
def shapes_only() -> Iterator[None]:
    """Build cells whose weights have names and shapes, but numbers only once they are given."""
    with no_init_parameters(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(factory, "initialise", lambda model, seed: None)
        yield


def channels_first(features: np.ndarray) -> np.ndarray:
    """A map of a network that is built now as [B, C, h, w]."""
    return features.transpose(0, 3, 1, 2) if channels_last() else features


def as_map(features: np.ndarray) -> Tensor:
    """[B, C, h, w] as a map for cells that are built now."""
    return Tensor(
        np.ascontiguousarray(features.transpose(0, 2, 3, 1)) if channels_last() else features
    )


def scatter_weights(model: nn.Cell, seed: int = 0, spread: float = 0.3) -> None:
    """Redraw all weights so that no head starts out constant; norms stay near one."""
    rng = np.random.default_rng(seed)
    for parameter in model.get_parameters():
        name, shape = parameter.name, parameter.shape
        if name.endswith("running_var"):
            values = rng.uniform(0.8, 1.2, shape)
        elif len(shape) > 1:
            values = rng.normal(0.0, np.sqrt(1.5 / np.prod(shape[1:])), shape)
        elif name.endswith(("gamma", "norm.weight")):
            values = rng.uniform(0.8, 1.2, shape)
        else:
            values = rng.normal(0.0, spread, shape)
        parameter.set_data(Tensor(values.astype(np.float32)))


def golden_config(case: str, meta: Mapping[str, Any]) -> ModelConfig:
    """The settings that a golden case was computed with."""
    queries = meta["overrides"].get("num_queries", 900)
    late = case.startswith("infer_r50_24ep")
    return ModelConfig(
        backbone=GOLDEN_BACKBONES[meta["config"].removesuffix("_24ep")],
        position=PositionConfig(20.0, 0.0) if late else PositionConfig(),
        decoder=DecoderConfig(queries=queries),
        padding=PaddingConfig(training="partial", evaluation="none"),
    )


def golden_model(case: str, meta: Mapping[str, Any]) -> DETR:
    """The network with the golden recipe's weights."""
    config = golden_config(case, meta)
    with shapes_only():
        model = build_model(config, 80)
    parameters = {parameter.name: parameter for parameter in model.get_parameters()}
    filled = set()
    for name, entry in manifest(meta["config"].removesuffix("_24ep"))["state_dict"].items():
        if is_ignored(name):
            continue
        shape = list(entry["shape"])
        if name == "transformer.tgt_embed.weight":
            shape[0] = config.decoder.queries
        values = weight_for(name, shape, meta["seed"])
        values = np.asarray(meta.get("tweak", {}).get(name, values), np.float32)
        ours = to_ours(name, encoder_head=6)
        parameters[ours].set_data(Tensor(values.reshape(shape)))
        filled.add(ours)
    assert filled == set(parameters)
    return model


class GivenPlaces(nn.Cell):
    """Stands for ``TopScores``: the reference's own choice, as near ties swap elsewhere."""

    def __init__(self, chosen: np.ndarray) -> None:
        super().__init__()
        self.chosen = Tensor(chosen.astype(np.int32))

    def construct(self, scores: Tensor, count: int) -> tuple[Tensor, Tensor]:
        return scores[:, :count], self.chosen


def normalised_batch(
    images: Sequence[np.ndarray], height: int | None = None, width: int | None = None
) -> tuple[Tensor, Tensor]:
    """Images [3, h, w] uint8 -> normalised, zero-padded [B, 3, H, W] and their sizes [B, 2]."""
    backbone = BackboneConfig()
    mean = np.array(backbone.pixel_mean, np.float32).reshape(3, 1, 1)
    std = np.array(backbone.pixel_std, np.float32).reshape(3, 1, 1)
    height = height or max(image.shape[1] for image in images)
    width = width or max(image.shape[2] for image in images)
    batch = np.zeros((len(images), 3, height, width), np.float32)
    for index, image in enumerate(images):
        batch[index, :, : image.shape[1], : image.shape[2]] = (image - mean) / std
    sizes = np.array([image.shape[1:] for image in images], np.int32)
    return Tensor(batch), Tensor(sizes)


def golden_images(meta: Mapping[str, Any]) -> list[np.ndarray]:
    """The images of a golden case, [3, h, w] uint8."""
    first, seed = meta["first_image_index"], meta["seed"]
    return [image_for(first + i, h, w, seed) for i, (h, w) in enumerate(meta["sizes"])]


def training_batch(
    counts: tuple[int, ...],
    number: int,
    *,
    classes: int = SMALL_CLASSES,
    shapes: Sequence[tuple[int, int]] = ((96, 128), (128, 128)),
) -> tuple[Tensor, ...]:
    """What a training step takes: images of these heights and widths with that many boxes.

    Args:
        counts: boxes of each image.
        number: of contrastive denoising queries.
        classes: of the labels.
        shapes: height and width of each image.
    """
    rng = np.random.default_rng(0)
    images, sizes = normalised_batch([image_for(i, *shape, 0) for i, shape in enumerate(shapes)])
    batch = len(shapes)
    boxes = np.concatenate(
        (rng.uniform(0.3, 0.7, (batch, _TARGETS, 2)), rng.uniform(0.1, 0.4, (batch, _TARGETS, 2))),
        -1,
    )
    labels = rng.integers(0, classes, (batch, _TARGETS))
    valid = np.arange(_TARGETS)[None] < np.array(counts)[:, None]
    draws = draw_noise(rng.spawn(batch), slot_count("contrastive", number, _TARGETS), classes)
    arrays = (
        boxes.astype(np.float32),
        labels.astype(np.int32),
        valid.astype(np.float32),
        draws.uniform,
        draws.new_label,
        draws.sign,
        draws.part,
    )
    return (images, sizes, *(Tensor(array) for array in arrays))
