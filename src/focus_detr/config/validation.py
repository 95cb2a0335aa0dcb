"""Checks of ranges and of settings against each other, made once before anything is built."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

from focus_detr.config.combinations import combinations
from focus_detr.config.schema import (
    BackboneConfig,
    Config,
    DataConfig,
    EncoderConfig,
    ForegroundSelectorConfig,
    ModelConfig,
    OptimizerConfig,
    ScheduleConfig,
)
from focus_detr.config.swin_sizes import SWINS
from focus_detr.config.token_selection import selection_problems
from focus_detr.errors import FocusDetrError
from focus_detr.io.checks import is_finite_number
from focus_detr.wording import counted

STAGES = 4  # of a ResNet or a Swin Transformer
GROUP_NORM_GROUPS = 32
SINE_PARTS = 4  # sine and cosine of rows and of columns


@dataclass(frozen=True)
class Range:
    """Allowed numbers; infinite values are never allowed."""

    low: float
    high: float = math.inf
    above_low: bool = False  # True: ``low`` itself is not allowed
    below_high: bool = False

    def holds(self, number: float) -> bool:
        """Whether a number lies inside."""
        bottom = number > self.low if self.above_low else number >= self.low
        top = number < self.high if self.below_high else number <= self.high
        return is_finite_number(number) and bottom and top

    def __str__(self) -> str:
        """The range in words."""
        bottom = f"above {self.low:g}" if self.above_low else f"at least {self.low:g}"
        top = f"{'below' if self.below_high else 'at most'} {self.high:g}"
        return bottom if math.isinf(self.high) else f"{bottom} and {top}"


COUNT = Range(1)
NOT_NEGATIVE = Range(0)
POSITIVE = Range(0, above_low=True)
PROBABILITY = Range(0, 1)
SHARE = Range(0, 1, above_low=True)
DROPPED = Range(0, 1, below_high=True)

RANGES = {
    "model.num_classes": COUNT,
    "model.width": COUNT,
    "model.heads": COUNT,
    "model.levels": Range(3, 5),
    "model.max_detections": COUNT,
    "model.overlap_limit": SHARE,
    "model.overlap_candidates": COUNT,
    "model.backbone.width_factor": POSITIVE,
    "model.backbone.depths": COUNT,
    "model.backbone.freeze_at": Range(0, 5),
    "model.backbone.window": Range(2),
    "model.backbone.drop_path": Range(0, 1, below_high=True),
    "model.backbone.pixel_mean": NOT_NEGATIVE,
    "model.backbone.pixel_std": POSITIVE,
    "model.position.temperature": POSITIVE,
    "model.position.offset": Range(-1, 1),
    "model.encoder.layers": COUNT,
    "model.encoder.ffn_width": COUNT,
    "model.encoder.points": COUNT,
    "model.encoder.keep_ratio": SHARE,
    "model.encoder.cascade": SHARE,
    "model.encoder.object_tokens": COUNT,
    "model.decoder.layers": COUNT,
    "model.decoder.ffn_width": COUNT,
    "model.decoder.points": COUNT,
    "model.decoder.queries": COUNT,
    "model.encoder.dropout": DROPPED,
    "model.decoder.dropout": DROPPED,
    "model.decoder.self_attention_dropout": DROPPED,
    "model.logit_epsilon": Range(1e-6, 0.1),
    "loss.class_cost": NOT_NEGATIVE,
    "loss.box_cost": NOT_NEGATIVE,
    "loss.giou_cost": NOT_NEGATIVE,
    "loss.class_weight": NOT_NEGATIVE,
    "loss.encoder_class_weight": NOT_NEGATIVE,
    "loss.denoising_class_weight": NOT_NEGATIVE,
    "loss.box_weight": NOT_NEGATIVE,
    "loss.giou_weight": NOT_NEGATIVE,
    "loss.giou_epsilon": POSITIVE,
    "loss.align.alpha": PROBABILITY,
    "loss.align.gamma": POSITIVE,
    "loss.align.tau": Range(0.01),
    "loss.align.floor": Range(1e-6, 1),
    "loss.align.repeats": COUNT,
    "loss.align.encoder_repeats": COUNT,
    "loss.one_to_many.class_share": PROBABILITY,
    "loss.one_to_many.threshold": PROBABILITY,
    "loss.one_to_many.most": COUNT,
    "loss.one_to_many.cap": COUNT,
    "loss.one_to_many.normaliser": POSITIVE,
    "loss.one_to_many.weight": NOT_NEGATIVE,
    "loss.foreground_weight": NOT_NEGATIVE,
    "loss.mask_prediction_weight": NOT_NEGATIVE,
    "denoising.number": NOT_NEGATIVE,
    "denoising.label_noise": PROBABILITY,
    "denoising.box_noise": NOT_NEGATIVE,
    "data.val_fraction": Range(0, 1, above_low=True, below_high=True),
    "data.val_seed": NOT_NEGATIVE,
    "data.train_short_sides": COUNT,
    "data.train_max_side": COUNT,
    "data.flip": PROBABILITY,
    "data.vertical_flip": PROBABILITY,
    "data.crop": PROBABILITY,
    "data.crop_least_visible": PROBABILITY,
    "data.transpose": PROBABILITY,
    "data.colour": PROBABILITY,
    "data.crop_short_sides": COUNT,
    "data.crop_sides": COUNT,
    "data.test_short_side": COUNT,
    "data.test_max_side": COUNT,
    "data.shape_buckets": COUNT,
    "data.target_buckets": COUNT,
    "data.workers": NOT_NEGATIVE,
    "train.batch_size": COUNT,
    "train.accumulate": COUNT,
    "train.seed": NOT_NEGATIVE,
    "train.log_every": COUNT,
    "train.eval_every": NOT_NEGATIVE,
    "train.pictures": NOT_NEGATIVE,
    "train.checkpoint_every": NOT_NEGATIVE,
    "train.keep_checkpoints": NOT_NEGATIVE,
    "train.spike_factor": NOT_NEGATIVE,
    "train.optimizer.lr": POSITIVE,
    "train.optimizer.backbone_lr_factor": NOT_NEGATIVE,
    "train.optimizer.weight_decay": NOT_NEGATIVE,
    "train.optimizer.norm_weight_decay": NOT_NEGATIVE,
    "train.optimizer.clip_norm": NOT_NEGATIVE,
    "train.optimizer.ema_decay": Range(0, 0.999999),
    "train.schedule.epochs": COUNT,
    "train.schedule.milestones": POSITIVE,
    "train.schedule.decay": SHARE,
    "train.schedule.warmup_steps": NOT_NEGATIVE,
    "train.schedule.warmup_factor": SHARE,
    "eval.batch_size": COUNT,
    "eval.max_detections": Range(10, above_low=True),  # recall is measured at 1, 10 and this
}
NEVER_EMPTY = (
    "loss.align.repeats",
    "model.backbone.depths",
    "data.train_short_sides",
    "data.crop_short_sides",
    "data.shape_buckets",
    "data.target_buckets",
)


def validate(config: Config, source: str) -> None:
    """Refuse settings that cannot work.

    Args:
        config: all settings, of the declared types.
        source: the file they come from, for the message.

    Raises:
        FocusDetrError: one sentence with every problem found.
    """
    problems = [
        *_ranges(config),
        *_model(config.model),
        *_selector(config.model.foreground_selector, config.model.levels),
        *_encoder(config.model.encoder, config.model.decoder.layers),
        *combinations(config),
        *selection_problems(config),
        *_data(config.data),
        *_patterns(config.train.optimizer),
        *_schedule(config.train.schedule),
    ]
    if problems:
        raise FocusDetrError(f"{source}: {'; '.join(problems)}")


def _ranges(config: Config) -> Iterator[str]:
    for key, allowed in RANGES.items():
        value = _value_at(config, key)
        if key in NEVER_EMPTY and value == ():
            yield f"{key} is empty, expected at least one item"
        if not all(allowed.holds(number) for number in _numbers(value)):
            yield f"{key} is {_text(value)}, expected {allowed}"


def _model(model: ModelConfig) -> Iterator[str]:
    if model.width % max(model.heads, 1):
        yield f"model.width {model.width} is not divisible by model.heads {model.heads}"
    for parts in (SINE_PARTS, min(GROUP_NORM_GROUPS, max(model.width, 1))):
        if model.width % parts:
            yield f"model.width {model.width} is not divisible by {parts}"
    yield from _backbone(model.backbone)


def _backbone(backbone: BackboneConfig) -> Iterator[str]:
    depths, is_swin = backbone.depths, backbone.name in SWINS
    if depths and (is_swin or backbone.name.startswith("resnet")) and len(depths) != STAGES:
        yield f"model.backbone.depths has {counted(len(depths), 'item')}, expected {STAGES}"
    usual = BackboneConfig()
    for key in () if is_swin else ("window", "drop_path"):
        if getattr(backbone, key) != getattr(usual, key):
            yield f"model.backbone.{key} is set, but {backbone.name} is no Swin Transformer"
    if not is_swin:
        return
    size = SWINS[backbone.name]
    scaled = size.width * backbone.width_factor
    if scaled % size.heads:
        yield (
            f"model.backbone.width_factor {backbone.width_factor:g} makes {scaled:g} channels of "
            f"{backbone.name}, expected a multiple of its {size.heads} heads"
        )


def _selector(selector: ForegroundSelectorConfig, levels: int) -> Iterator[str]:
    key = "model.foreground_selector.label_intervals"
    intervals = selector.label_intervals
    if selector.enabled and selector.kind == "focus" and len(intervals) != levels:
        yield (
            f"{key} has {counted(len(intervals), 'item')}, expected one for each of "
            f"model.levels {levels}: change both together"
        )
    if any(low >= high for low, high in intervals):
        yield f"{key} is {_text(intervals)}, expected each lower limit below its upper limit"
    if any(a[0] > b[0] or a[1] > b[1] for a, b in pairwise(intervals)):
        yield f"{key} is {_text(intervals)}, expected limits that rise from level to level"


def _encoder(encoder: EncoderConfig, decoder_layers: int) -> Iterator[str]:
    if len(encoder.cascade) != encoder.layers:
        yield (
            f"model.encoder.cascade has {counted(len(encoder.cascade), 'item')}, "
            f"expected one for each of model.encoder.layers {encoder.layers}"
        )
    if any(later > earlier for earlier, later in pairwise(encoder.cascade)):
        yield f"model.encoder.cascade is {_text(encoder.cascade)}, expected shares that never rise"
    shares_layers = encoder.dual_attention and encoder.category_head == "decoder_layer"
    if shares_layers and encoder.layers > decoder_layers:
        yield (
            "model.encoder.category_head decoder_layer needs model.encoder.layers "
            f"({encoder.layers}) to be at most model.decoder.layers ({decoder_layers})"
        )


def _data(data: DataConfig) -> Iterator[str]:
    for split in ("train", "val"):
        if getattr(data, f"{split}_images") and not getattr(data, f"{split}_annotations"):
            yield f"data.{split}_images is set, but not data.{split}_annotations"
    yield from _validation_images(data)
    if max(data.train_short_sides, default=0) > data.train_max_side:
        yield f"data.train_short_sides exceed data.train_max_side {data.train_max_side}"
    if data.test_short_side > data.test_max_side:
        yield f"data.test_short_side exceeds data.test_max_side {data.test_max_side}"
    if data.crop_sides[0] > data.crop_sides[1]:
        yield f"data.crop_sides is {_text(data.crop_sides)}, expected (smallest, largest)"
    if not _rises(data.target_buckets):
        yield f"data.target_buckets is {_text(data.target_buckets)}, expected rising numbers"


def _validation_images(data: DataConfig) -> Iterator[str]:
    keys = ("val_annotations", "val_fraction", "val_list")
    given = [f"data.{key}" for key in keys if getattr(data, key) is not None]
    if len(given) > 1:
        yield f"{' and '.join(given)} are set, expected only one way to get validation images"


def _patterns(optimizer: OptimizerConfig) -> Iterator[str]:
    key = "train.optimizer.groups"
    for group in optimizer.groups:
        for name in ("lr_factor", "weight_decay"):
            if not all(NOT_NEGATIVE.holds(n) for n in _numbers(getattr(group, name))):
                yield f"{key} has {name} {getattr(group, name)}, expected {NOT_NEGATIVE}"
        if not _is_pattern(group.pattern):
            yield f"{key} has pattern {group.pattern!r}, expected a regular expression"
    for pattern in optimizer.freeze:
        if not _is_pattern(pattern):
            yield f"train.optimizer.freeze has {pattern!r}, expected a regular expression"


def _is_pattern(text: str) -> bool:
    try:
        return bool(text) and re.compile(text) is not None
    except re.error:
        return False


def _schedule(schedule: ScheduleConfig) -> Iterator[str]:
    key = "train.schedule.milestones"
    if not _rises(schedule.milestones):
        yield f"{key} is {_text(schedule.milestones)}, expected rising numbers"
    if any(milestone >= schedule.epochs for milestone in schedule.milestones):
        yield (
            f"{key} is {_text(schedule.milestones)}, expected numbers below "
            f"train.schedule.epochs {schedule.epochs} ([] for a constant rate)"
        )


def _rises(numbers: Sequence[float]) -> bool:
    return all(earlier < later for earlier, later in pairwise(numbers))


def _value_at(config: Config, key: str) -> Any:
    return reduce(getattr, key.split("."), config)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple):
        for item in value:
            yield from _numbers(item)
    elif value is not None:
        yield value


def _text(value: Any) -> str:
    """A value as YAML would write it: tuples in square brackets."""
    if isinstance(value, tuple):
        return f"[{', '.join(_text(item) for item in value)}]"
    return f"{value:g}" if isinstance(value, float) else str(value)
