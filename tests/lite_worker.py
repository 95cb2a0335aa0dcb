"""Runs the real MindSpore Lite in a process of its own, as its libraries clash with MindSpore's.

python tests/lite_worker.py LIBRARY convert FILE.onnx FILE.mindir
python tests/lite_worker.py LIBRARY contract FILE.mindir
python tests/lite_worker.py LIBRARY detect FILE.mindir PICTURES.npz FOUND.npz
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import numpy as np
from lite_contract import check_contract
from lite_library import install

from focus_detr.deploy.lite_engine import LiteEngine
from focus_detr.deploy.sidecar import read_sidecar
from focus_detr.process.runtime import command


def convert(library: str, model: str, output: str) -> None:
    """The converter appends .mindir; it lies on success too, so the file counts."""
    functions = ctypes.CDLL(library)
    functions.lite_convert(model.encode(), output.removesuffix(".mindir").encode())
    Path(output).chmod(0o644)


def detect(model: str, pictures: str, found: str) -> None:
    """Every set of inputs through one engine; results are kept until all have run."""
    engine = LiteEngine(Path(model), read_sidecar(model).graph)
    with np.load(pictures) as arrays:
        names = list(engine._graph.inputs)
        count = len(arrays.files) // len(names)
        inputs = [[arrays[f"{name}{i}"] for name in names] for i in range(count)]
    outputs = [engine.run(*each) for each in inputs]
    named = {f"{i}_{j}": array for i, each in enumerate(outputs) for j, array in enumerate(each)}
    np.savez(found, **named)


@command
def main(argv: object = None) -> None:
    """Run the command."""
    library, what, *arguments = sys.argv[1:]
    if what == "convert":
        convert(library, *arguments)
        return
    lite = install(Path(library))
    if what == "contract":
        check_contract(lite, Path(arguments[0]))
    else:
        detect(*arguments)


if __name__ == "__main__":
    sys.exit(main())
