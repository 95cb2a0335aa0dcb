"""Data loaders from the settings; nothing else in this package knows them."""

from __future__ import annotations

import logging
from pathlib import Path

from focus_detr.config.schema import Config, DataConfig, EvalConfig
from focus_detr.data.annotations import Annotations
from focus_detr.data.buckets import ShapeBuckets, default_buckets
from focus_detr.data.classes import ClassMap
from focus_detr.data.dataset import DetectionDataset
from focus_detr.data.formats import read_annotations
from focus_detr.data.loader import DataLoader
from focus_detr.data.many_objects import COMPARED, DETECTED, QUERIES, TARGETS, warn_many_objects
from focus_detr.data.sampler import EvalSampler, TrainSampler
from focus_detr.data.split import Division, divide_by_fraction, divide_by_list
from focus_detr.data.transforms import EvalPolicy, TrainPolicy
from focus_detr.errors import FocusDetrError
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


def build_train_loader(
    config: Config,
    *,
    seed: int,
    rank: int = 0,
    world_size: int = 1,
    classes: ClassMap | None = None,
    annotations: Annotations | None = None,
) -> DataLoader:
    """Loader of the training images, ``train.batch_size`` to a rank, with boxes or without.

    Args:
        config: all settings.
        seed: of order and augmentation, not negative.
        rank: which share of each global batch to load.
        world_size: number of ranks.
        classes: class map of a model that goes on training; None derives it from the file.
        annotations: of these images, if they were read already.

    Raises:
        FocusDetrError: paths are not set, the data is bad, or too little for one batch.
    """
    data = config.data
    if seed < 0:
        raise FocusDetrError(f"train.seed must not be negative, but is {seed}")
    dataset = DetectionDataset.from_annotations(
        annotations or training_annotations(data, classes),
        classes=classes,
        filter_empty=data.filter_empty,
        skip_broken=data.broken == "skip",
    )
    _check_class_count(config, dataset)
    if len(dataset) < config.train.batch_size * world_size:
        raise FocusDetrError(
            f"{data.train_annotations} has {counted(len(dataset), 'usable image')}, too few for "
            f"one batch of {config.train.batch_size} on {counted(world_size, 'worker')}"
        )
    limits = {**_object_limits(config), TARGETS: max(data.target_buckets)}
    warn_many_objects(dataset.annotations, limits)
    return DataLoader(
        dataset.without_annotations(),
        _train_policy(data),
        TrainSampler(config.train.batch_size, seed, rank, world_size),
        training_buckets(data),
        data.target_buckets,
        config.model.backbone.pixel_mean,
        config.model.backbone.pixel_std,
        seed,
        data.workers,
        data.broken == "skip",
    )


def build_eval_loader(
    config: Config,
    *,
    batch_size: int,
    classes: ClassMap | None = None,
    rank: int = 0,
    world_size: int = 1,
    round_to: int | None = None,
    annotations: Annotations | None = None,
) -> DataLoader:
    """Loader of the validation images, each exactly once; a warning if none has a box.

    Args:
        config: all settings.
        batch_size: of one rank; free slots of a last batch have the image id None.
        classes: class map of the model; None derives it from the validation file.
        rank: which share of each global batch to load.
        world_size: number of ranks.
        round_to: pad each image only to a multiple of this instead of to the shape buckets.
        annotations: of these images, if they were read already.

    Raises:
        FocusDetrError: paths are not set, or the data is bad or does not fit ``classes``.
    """
    data = config.data
    dataset = DetectionDataset.from_annotations(
        annotations or validation_annotations(data, classes),
        classes=classes,
        skip_broken=data.broken == "skip",
    )
    _check_class_count(config, dataset)
    if lack := dataset.lack_of_boxes():
        _log.warning("AP cannot be measured: %s", lack)
    warn_many_objects(dataset.annotations, _object_limits(config))
    _warn_unreachable(config)
    # metrics compare with the file itself, so that no box need be dropped from the batches
    largest = max(len(record.boxes) for record in dataset.records)
    return DataLoader(
        dataset,
        EvalPolicy(data.test_short_side, data.test_max_side),
        EvalSampler(batch_size, rank, world_size),
        _buckets(data, data.test_short_side, data.test_max_side, round_to),
        (max(largest, 1),),
        config.model.backbone.pixel_mean,
        config.model.backbone.pixel_std,
        workers=data.workers,
        skip_broken=data.broken == "skip",
    )


def training_annotations(data: DataConfig, classes: ClassMap | None = None) -> Annotations:
    """The training set without what validation takes from it.

    Raises:
        FocusDetrError: it is not set, bad or does not fit ``classes``.
    """
    return divided_annotations(data, classes)[0]


def divided_annotations(
    data: DataConfig, classes: ClassMap | None = None
) -> tuple[Annotations, Annotations | None]:
    """The training set, and what validation takes from it: None if it has a set of its own.

    Who needs both asks here, so that the set is read, and what is odd about it told, once.

    Raises:
        FocusDetrError: it is not set, bad or does not fit ``classes``.
    """
    if division := _division(data, classes):
        return division.train, division.val
    return _whole_training_set(data, classes), None


def validation_annotations(data: DataConfig, classes: ClassMap | None = None) -> Annotations:
    """The validation set, or the part of the training set that takes its place.

    Raises:
        FocusDetrError: it is not set, bad or does not fit ``classes``.
    """
    if data.val_annotations:
        images = data.val_images
        return read_annotations(data.val_annotations, images, classes=classes, split="val")
    division = _division(data, classes)
    if division is None:
        raise FocusDetrError(
            "data.val_annotations is not set (nor data.val_fraction or data.val_list)"
        )
    return division.val


def _whole_training_set(data: DataConfig, classes: ClassMap | None) -> Annotations:
    if not data.train_annotations:
        raise FocusDetrError("data.train_annotations is not set")
    return read_annotations(data.train_annotations, data.train_images, classes=classes)


def _division(data: DataConfig, classes: ClassMap | None) -> Division | None:
    """The training set in two parts, if validation takes its images from it."""
    if data.val_list is not None:
        return divide_by_list(_whole_training_set(data, classes), Path(data.val_list))
    if data.val_fraction is not None:
        whole = _whole_training_set(data, classes)
        return divide_by_fraction(whole, data.val_fraction, data.val_seed)
    return None


def _check_class_count(config: Config, dataset: DetectionDataset) -> None:
    wanted, found = config.model.num_classes, len(dataset.classes)
    if wanted is not None and wanted < found:
        classes = counted(found, "class")
        raise FocusDetrError(f"model.num_classes is {wanted}, but the data has {classes}")


def _object_limits(config: Config) -> dict[str, int]:
    """How many objects of a picture can be found and compared."""
    return {
        COMPARED: config.eval.max_detections,
        DETECTED: config.model.max_detections,
        QUERIES: config.model.decoder.queries,
    }


def _warn_unreachable(config: Config) -> None:
    compared, detected = config.eval.max_detections, config.model.max_detections
    if compared > max(detected, EvalConfig.max_detections):
        _log.warning(
            "%s is %d, but an image has at most %d detections (%s): set both",
            *(COMPARED, compared, detected, DETECTED),
        )


def _train_policy(data: DataConfig) -> TrainPolicy:
    return TrainPolicy(
        short_sides=data.train_short_sides,
        max_side=data.train_max_side,
        flip=data.flip,
        vertical_flip=data.vertical_flip,
        crop=data.crop,
        crop_short_sides=data.crop_short_sides,
        crop_sides=data.crop_sides,
        crop_least_visible=data.crop_least_visible,
        transpose=data.transpose,
        colour=data.colour,
    )


def training_buckets(data: DataConfig) -> ShapeBuckets:
    """The shapes that training images are padded to."""
    return _buckets(data, max(data.train_short_sides), data.train_max_side)


def _buckets(
    data: DataConfig, short_side: int, max_side: int, round_to: int | None = None
) -> ShapeBuckets:
    return ShapeBuckets(data.shape_buckets or default_buckets(short_side, max_side), round_to)
