r"""Write a trained detector as a file that serves, and prove that it equals the checkpoint.

    focus-detr export --checkpoint best.safetensors --out served/detector.mindir
    focus-detr export --config focus_detr_r50 --checkpoint r50.safetensors \
        --out served/r50.mindir --size 800x1344 --size 1344x800 --batch 4 --pictures photos/

Each file is run in a fresh process beside the checkpoint. Expect a line with the largest
differences for each, below --tolerance, and the way to run it. A file that differs is not kept.
NAME.json beside it says what its tensors mean: keep both. docs/deploy.md: the way to Ascend.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path

from focus_detr.deploy.source_options import score
from focus_detr.exporting.options import ExportOptions, parse_batch, parse_size
from focus_detr.exporting.request import export_checkpoint
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.command_line import CONFIG_HELP, build_parser, parse_intermixed
from focus_detr.process.program import called
from focus_detr.process.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("export", __doc__)
    add = parser.add_argument
    add("--checkpoint", required=True, type=user_path, help="weights to export")
    add("--config", type=path_text, help=f"{CONFIG_HELP}; default: those in the checkpoint")
    add("--out", required=True, type=user_path, help="NAME.mindir or NAME.onnx")
    add("--size", action="append", type=parse_size, help="HxW; default: all of the settings")
    add("--batch", type=parse_batch, default=1, help="pictures at once (1), or any in ONNX")
    add("--images", choices=("pixels", "normalised"), default="pixels", help="what goes in")
    add("--boxes", choices=("pixels", "unit"), default="pixels", help="what comes out")
    add("--msda", choices=("composition", "custom", "ascend"), default="composition")
    add("--tokens", action="store_true", help="also tell which tokens were kept")
    add("--threshold", type=score, default=0.3, help="score that predict.py shows from (0.3)")
    add(
        "--pictures",
        nargs="+",
        type=user_path,
        default=(),
        help="to compare on; default: drawn ones",
    )
    add("--tolerance", type=float, default=1e-4, help="largest difference allowed (1e-4)")
    add("--device", help="CPU, GPU or Ascend; default: the best that is here")
    add("overrides", nargs="*", metavar="key=value", help="change settings of --config")
    return parse_intermixed(parser, argv)


def _typed(model: Path) -> str:
    """The option that names a model, as a shell takes it."""
    between = "=" if str(model).startswith("-") else " "
    return f"--model{between}{shlex.quote(str(model))}"


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    options = ExportOptions(
        out=arguments.out,
        sizes=tuple(arguments.size or ()),
        batch=arguments.batch,
        images=arguments.images,
        boxes=arguments.boxes,
        msda=arguments.msda,
        tokens=arguments.tokens,
        threshold=arguments.threshold,
        tolerance=arguments.tolerance,
        device=arguments.device,
    )
    files = export_checkpoint(
        arguments.checkpoint,
        options,
        config=arguments.config,
        overrides=arguments.overrides,
        pictures=arguments.pictures,
    )
    model = files[0] if len(files) == 1 else files[0].parent
    print(f"run it with: {called('predict')} {_typed(model)} PHOTO_OR_FOLDER")
