"""Pack the pictures and annotations of a data set into a few large MindRecord files.

    python scripts/pack_mindrecord.py --config config/mine.yaml --out packed/train
    python scripts/pack_mindrecord.py --config config/mine.yaml --split val --out packed/val

On a network disk, many small files take much longer to read than few large ones. Afterwards set
data.train_annotations and data.val_annotations to the new folders; training is fed the same.
Pictures are packed as they are, not decoded. Every file is 48 MiB larger than what is in it.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence

from focus_detr.config.loading import load_config
from focus_detr.data.build import training_annotations, validation_annotations
from focus_detr.data.dataset import DetectionDataset
from focus_detr.errors import FocusDetrError
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.command_line import CONFIG_HELP, parse_intermixed
from focus_detr.process.runtime import command, load_mindspore
from focus_detr.wording import counted

_log = logging.getLogger(__name__)

_MOST_SHARDS = 1000  # MindSpore's limit


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=path_text, required=True, help=CONFIG_HELP)
    parser.add_argument("--out", type=user_path, required=True, help="folder to make")
    parser.add_argument("--split", choices=("train", "val"), default="train", help="which data")
    parser.add_argument("--shards", type=int, default=1, help="files to make (default: 1)")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="change settings")
    return parse_intermixed(parser, argv)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read and pack."""
    arguments = parse_arguments(argv)
    if not 1 <= arguments.shards <= _MOST_SHARDS:
        raise FocusDetrError(f"--shards is {arguments.shards}, expected 1 to {_MOST_SHARDS}")
    data = load_config(arguments.config, arguments.overrides).data
    read = {"train": training_annotations, "val": validation_annotations}[arguments.split](data)
    dataset = DetectionDataset.from_annotations(read, skip_broken=data.broken == "skip")
    if lack := dataset.lack_of_boxes():
        _log.warning(lack)
    load_mindspore()
    from focus_detr.data.mindrecord_writing import write_mindrecord

    write_mindrecord(dataset.annotations, arguments.out, arguments.shards)
    size = sum(file.stat().st_size for file in arguments.out.iterdir())
    packed = counted(len(dataset.annotations.images), "picture")
    print(f"{packed} packed into {arguments.out}, {size:,} bytes")


if __name__ == "__main__":
    sys.exit(main())
