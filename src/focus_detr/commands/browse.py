"""Draw what the model is fed: pictures after augmentation, with boxes, names and padding.

    focus-detr browse --config mine.yaml --out browsed --count 24

Prints a summary of the data and writes one picture for each image, in the order of the training.
Striped parts are padding. Wrong boxes show here in a minute, in a training after hours.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain, count, islice
from pathlib import Path

import numpy as np

from focus_detr.config.loading import load_config
from focus_detr.data.batch import Batch
from focus_detr.data.build import (
    build_eval_loader,
    build_train_loader,
    training_annotations,
)
from focus_detr.data.loader import DataLoader
from focus_detr.data.summary import summarise
from focus_detr.errors import FocusDetrError
from focus_detr.inference.batch_drawing import draw_batch
from focus_detr.inference.image_writing import write_image
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.command_line import CONFIG_HELP, build_parser, parse_intermixed
from focus_detr.process.runtime import command
from focus_detr.wording import counted

_log = logging.getLogger(__name__)


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("browse", __doc__)
    parser.add_argument("--config", type=path_text, required=True, help=CONFIG_HELP)
    parser.add_argument("--out", type=user_path, default=Path("browsed"), help="folder to write to")
    parser.add_argument("--count", type=int, default=24, help="pictures to draw (default: 24)")
    parser.add_argument("--split", choices=("train", "val"), default="train", help="which data")
    parser.add_argument("--epoch", type=int, default=0, help="first epoch to show (default: 0)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parse_intermixed(parser, argv)


def open_loader(arguments: argparse.Namespace) -> DataLoader:
    """The loader that training or evaluation would use."""
    config = load_config(arguments.config, arguments.overrides)
    if arguments.split == "val":
        return build_eval_loader(config, batch_size=config.eval.batch_size)
    annotations = training_annotations(config.data)
    there, batch = len(annotations.images), config.train.batch_size
    if 0 < there < batch:
        few = f"{annotations.source} has {counted(there, 'image')}, too few for a batch of {batch}"
        _log.warning("training would refuse this: %s", few)
        config = replace(config, train=replace(config.train, batch_size=there))
    loader = build_train_loader(config, seed=config.train.seed, annotations=annotations)
    if lack := loader.dataset.lack_of_boxes():
        _log.warning("training would refuse this: %s", lack)
    return loader


def drawings(loader: DataLoader, batches: Iterator[Batch]) -> Iterator[tuple[str, np.ndarray]]:
    """File name and picture of each image."""
    stems = {record.image_id: record.path.stem for record in loader.dataset.records}
    names = loader.dataset.class_names
    number = count()
    for batch in batches:
        for image_id, picture in draw_batch(batch, names, loader.pixel_mean, loader.pixel_std):
            yield f"{next(number):04d}_{stems[image_id]}.jpg", picture


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Draw and write."""
    arguments = parse_arguments(argv)
    if arguments.count < 1 or arguments.epoch < 0:
        raise FocusDetrError("--count must be at least 1 and --epoch at least 0")
    loader = open_loader(arguments)
    print(summarise(loader.dataset, f"{arguments.split} data"))
    epochs = count(arguments.epoch) if arguments.split == "train" else [0]
    batches = chain.from_iterable(loader.epoch(epoch) for epoch in epochs)
    written = 0
    for name, picture in islice(drawings(loader, batches), arguments.count):
        write_image(arguments.out / name, picture)
        written += 1
    print(f"{counted(written, 'picture')} drawn into {arguments.out}")
