"""Convert torch checkpoints to ours and back, without torch.

    focus-detr convert published.pth r50.safetensors --recipe r50_36ep
    focus-detr convert best.safetensors best.pth --to torch

To ours: a checkpoint of Focus-DETR or of its family, or an ImageNet backbone (ResNet of
torchvision or detectron2, Swin Transformer, EfficientNet-Lite0), into a .safetensors file. To
torch: one of our detector checkpoints into a .pth file that the public implementation can load, or
a backbone alone into one with the names of torchvision, of Microsoft's Swin or of
EfficientNet-Lite0's package. Every tensor that does not fit is listed, and nothing is written
unless --skip excuses it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from focus_detr.config.loading import load_config
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.process.command_line import build_parser
from focus_detr.process.runtime import command
from focus_detr.weights.backbones import backbone_to_torch
from focus_detr.weights.checkpoint import load_checkpoint, save_checkpoint
from focus_detr.weights.convert import (
    Choices,
    Kind,
    checkpoint_from_torch,
    detector_to_torch,
    is_backbone_alone,
)
from focus_detr.weights.model_settings import RECIPES
from focus_detr.weights.torch_writer import write_state_dict
from focus_detr.wording import counted

DEFAULT_RECIPE = "r50_12ep"
_ASSUMED = (
    f"warning: no --recipe was given, so {DEFAULT_RECIPE} is assumed; if the weights were trained "
    "with another position embedding (see --help), their detections will be bad without an error"
)


def _parser() -> argparse.ArgumentParser:
    parser = build_parser("convert", __doc__)
    parser.add_argument("input", type=user_path, help="checkpoint to read")
    parser.add_argument("output", type=user_path, help="file to write")
    parser.add_argument("--to", choices=("ours", "torch"), default="ours", help="default: ours")
    parser.add_argument(
        "--kind", choices=get_args(Kind), default="auto", help="what the torch file holds"
    )
    settings = parser.add_mutually_exclusive_group()
    settings.add_argument(
        "--recipe",
        choices=tuple(RECIPES),
        help="training recipe, which fixes the position embedding that a detector's file does not "
        f"show; the wrong one spoils the detections; default: {DEFAULT_RECIPE}, with a warning",
    )
    settings.add_argument(
        "--config",
        type=path_text,
        help="settings of a network that differs from the published ones",
    )
    parser.add_argument(
        "--class-names", nargs="+", metavar="NAME", help="in class order; default: COCO's if 80"
    )
    parser.add_argument(
        "--skip",
        action="append",
        default=[],
        metavar="REGEX",
        help="leave out tensors of ours whose name it matches and that do not fit; repeatable",
    )
    return parser


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Read, check, write, and say what was done."""
    arguments = _parser().parse_args(argv)
    if arguments.to == "torch":
        _to_torch(arguments)
    else:
        _to_ours(arguments)


def _to_torch(arguments: argparse.Namespace) -> None:
    checkpoint = load_checkpoint(arguments.input)
    alone = arguments.kind == "auto" and is_backbone_alone(checkpoint.tensors)
    if alone or arguments.kind == "backbone":
        state = backbone_to_torch(checkpoint.tensors)
        write_state_dict(arguments.output, state, below=None)
        summary = _backbone_summary(checkpoint.metadata)
    else:
        state = detector_to_torch(checkpoint.tensors)
        write_state_dict(arguments.output, state)
        summary = _summary(checkpoint.metadata)
    print(f"wrote {arguments.output}: {counted(len(state), 'tensor')}; {summary}")


def _to_ours(arguments: argparse.Namespace) -> None:
    config = load_config(arguments.config)
    choices = Choices(
        kind=arguments.kind,
        position=RECIPES[arguments.recipe or DEFAULT_RECIPE],
        model=None if arguments.config is None else config.model,
        data=config.data,
        class_names=arguments.class_names,
    )
    tensors, metadata, excused = checkpoint_from_torch(arguments.input, choices, arguments.skip)
    save_checkpoint(arguments.output, tensors, metadata)
    if excused:
        print(f"left out: {excused}")
    print(f"wrote {arguments.output}: {counted(len(tensors), 'tensor')}; {_summary(metadata)}")
    if metadata["class_names"] and arguments.recipe is None and arguments.config is None:
        print(_ASSUMED, file=sys.stderr)


def _summary(metadata: Mapping[str, Any]) -> str:
    model, classes = metadata["model"], metadata["class_names"]
    if not classes:
        return _backbone_summary(metadata)
    position = model["position"]
    return (
        f"{counted(len(classes), 'class')}, {_backbone_summary(metadata)}, position embedding with "
        f"temperature {position['temperature']:g} and offset {position['offset']:g}"
    )


def _backbone_summary(metadata: Mapping[str, Any]) -> str:
    return f"backbone {metadata['model']['backbone']['name']}"
