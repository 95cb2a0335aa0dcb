"""Show a detector on a web page, and serve it over HTTP.

    focus-detr demo --checkpoint best.safetensors
    focus-detr demo --checkpoint best.safetensors --pictures photos/
    focus-detr demo --model served --host 0.0.0.0 --port 80 --per-minute 20

Expect the page's address after some seconds; Ctrl-C stops. Drop a photograph on the page: a slider
chooses the score from which boxes are shown, and tabs show the tokens that each encoder layer kept
(of an exported model, if it was written with --tokens), its object tokens, and what the picture
cost. docs/demo.md describes the endpoint:
`curl --data-binary @photo.jpg http://127.0.0.1:8000/api/detections`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial

from focus_detr.demo.extra import require_extra
from focus_detr.demo.limits import MEGA, Limits
from focus_detr.deploy.source_options import add_source_options, chosen_source
from focus_detr.io.user_paths import user_path
from focus_detr.process.command_line import build_parser
from focus_detr.process.runtime import command


def parse_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Command line of this program."""
    parser = build_parser("demo", __doc__)
    add = parser.add_argument
    add_source_options(parser)
    add("--pictures", type=user_path, help="folder of pictures that the page offers")
    add("--host", default="127.0.0.1", help="0.0.0.0: other machines too (127.0.0.1)")
    add("--port", type=int, default=8000, help="0: any free one (8000)")
    add("--megabytes", type=int, default=20, help="largest file (20)")
    add("--megapixels", type=int, default=50, help="largest picture (50)")
    add("--per-minute", type=int, default=60, help="requests from one address (60)")
    add("--at-once", type=int, default=4, help="of them, how many may be under way (4)")
    add("--waiting", type=int, default=32, help="requests of all under way at once (32)")
    return parser.parse_args(argv)


@command
def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    arguments = parse_arguments(argv)
    limits = Limits(
        upload_bytes=arguments.megabytes * MEGA,
        pixels=arguments.megapixels * MEGA,
        per_minute=arguments.per_minute,
        at_once=arguments.at_once,
        waiting=arguments.waiting,
    )
    source = chosen_source(arguments, looks=True)
    require_extra()
    # here, since these need the extra
    from focus_detr.demo.app import build_app
    from focus_detr.demo.model_queue import ModelQueue, open_model
    from focus_detr.demo.samples import load_samples
    from focus_detr.demo.serving import address_of, listen, serve

    samples = load_samples(arguments.pictures)
    with listen(arguments.host, arguments.port) as listener:
        print("loading the detector", flush=True)
        with ModelQueue(partial(open_model, source), limits.waiting) as queue:
            print(f"ready: {address_of(listener)} (Ctrl-C stops)", flush=True)
            serve(build_app(queue, limits, samples), listener)
    print("stopped")
