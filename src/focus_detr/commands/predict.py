"""Detect on pictures and videos: draws boxes, and on request which tokens the encoder kept.

    focus-detr predict --checkpoint best.safetensors photo.jpg
    focus-detr predict --checkpoint best.safetensors photos/ more.png --out drawn --threshold 0.4
    focus-detr predict --checkpoint best.safetensors photo.jpg --tokens --json boxes.json
    focus-detr predict --model served/detector.onnx 'photos/**/*.jpg' film.mp4 camera:0

The output folder gets a drawn copy of each picture (folders keep their inner structure),
NAME_tokens.png with --tokens, and detections.json: for each picture its size and its detections
(label, name, score, box as x1 y1 x2 y2 in pixels). If Ctrl-C or an error ends it early,
detections.json lists the pictures whose drawings are whole. A video gets a drawn NAME.mp4 and
NAME.jsonl, a line for each frame; Ctrl-C ends a camera. Status 1 says that pictures had to be
skipped.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from focus_detr.deploy.source_options import add_source_options, chosen_source, score
from focus_detr.inference.inputs import collect_images, named_path
from focus_detr.inference.session import OutputOptions, predict_images
from focus_detr.inference.video_session import check_frames, predict_video
from focus_detr.inference.videos import split_videos
from focus_detr.io.user_paths import user_path
from focus_detr.process.command_line import build_parser, parse_intermixed
from focus_detr.process.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("predict", __doc__)
    add = parser.add_argument
    what = "pictures, folders, patterns, videos, camera:0"
    add("inputs", nargs="+", type=named_path, metavar="INPUT", help=what)
    add_source_options(parser)
    add("--out", type=user_path, default=Path("predictions"), help="output folder")
    add("--threshold", type=score, help="smallest score; default: the model's, 0.3")
    tokens = "draw the kept tokens too; for --model, export with --tokens"
    add("--tokens", action="store_true", help=tokens)
    add("--json", type=user_path, help="default: detections.json in the output folder")
    add("--frames", type=int, help="of a video or camera: end after so many")
    return parse_intermixed(parser, argv)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    given = parse_arguments(argv)
    source = chosen_source(given, tokens=given.tokens)
    check_frames(given.frames)
    paths, videos = split_videos(given.inputs)
    images = collect_images(paths, given.out) if paths else []
    predictor, usual = source.open()
    threshold = usual if given.threshold is None else given.threshold
    json_file = given.json or given.out / "detections.json"
    options = OutputOptions(given.out, json_file, threshold, given.tokens)
    failed = 0
    if images:
        summary = predict_images(predictor, images, options)
        failed = summary.failed
        print(f"{summary.told('picture')}: {given.out}")
    for video in videos:
        told = predict_video(predictor, video, options, given.frames).told("frame")
        print(f"{told}: {video}")
    return 1 if failed else 0
