"""Times one engine in a process of its own; ``benchmarks/deploy.py`` starts it."""

from __future__ import annotations

import time

STARTED = time.perf_counter()  # before the engines are imported, for their loading counts

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

import numpy as np  # noqa: E402
from process_memory import peak_bytes  # noqa: E402

from focus_detr.deploy.opening import Source  # noqa: E402
from focus_detr.deploy.source_options import (  # noqa: E402
    add_engine_options,
    engine_options,
)
from focus_detr.io.user_paths import path_text, user_path  # noqa: E402
from focus_detr.process.runtime import command  # noqa: E402


@command
def main(argv: list[str] | None = None) -> None:
    """Print seconds until the first detections, seconds of each later call, and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=user_path, help="npy file of [B, H, W, 3] uint8 RGB")
    parser.add_argument("--checkpoint", type=path_text)
    parser.add_argument("--model", type=path_text)
    parser.add_argument("--device")
    add_engine_options(parser)
    parser.add_argument("--repeat", type=int, default=10)
    arguments = parser.parse_args(argv)
    pictures = list(np.load(arguments.pictures))
    options = engine_options(arguments)
    source = Source(arguments.checkpoint, arguments.model, device=arguments.device, options=options)
    predictor, _ = source.open()
    predictor.predict_batch(pictures)
    first = time.perf_counter() - STARTED
    seconds = []
    for _ in range(arguments.repeat):
        start = time.perf_counter()
        predictor.predict_batch(pictures)
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"first_seconds": first, "seconds": seconds, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    sys.exit(main(None))
