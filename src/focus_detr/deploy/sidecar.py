"""The JSON file beside an exported model: what the model's tensors mean, and which file it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from focus_detr.config.values import build, parse_section
from focus_detr.data.buckets import Size
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import read_json, sha256_of, write_json

# since 2 any number of pictures, and kept tokens; since 3 max_detections
FORMAT_VERSION = 3
_READABLE = range(1, FORMAT_VERSION + 1)
MINDIR, ONNX = ".mindir", ".onnx"
SUFFIXES = (MINDIR, ONNX)  # of model files

# of the graph, in this order; the last input only for boxes in pixels
INPUTS = ("images", "image_sizes", "picture_sizes")
OUTPUTS = ("scores", "labels", "boxes")
TOKEN_OUTPUTS = ("ranked_tokens", "refined_counts")  # after these, where they were wanted
SELECTION_OUTPUTS = ("selection_scores_{}", "selection_places_{}")  # then, of each selection

Inputs = Mapping[str, tuple[tuple[int | None, ...], str]]  # shapes (None: any size) and types


@dataclass(frozen=True)
class Versions:
    """What wrote the file."""

    focus_detr: str
    mindspore: str


@dataclass(frozen=True)
class Graph:
    """What the file computes.

    Inputs, in this order: images, [B, H, W, 3] uint8 RGB (``pixels``) or [B, 3, H, W] float32,
    normalised (``normalised``), padded right and below with zeros; image sizes [B, 2] int32,
    (height, width) inside the padding; and for ``pixels`` boxes the sizes of the picture files
    [B, 2] int32. Outputs: scores [B, R], best first, -1 for a filler; labels [B, R] int32; boxes
    [B, R, 4], x1 y1 x2 y2 in pixels of the picture file, clipped (``pixels``), or in units of the
    image (``unit``). With ``token_grids`` also: ranked tokens [B, K] int32, numbers of cells of
    these grids, one after the other and row by row, best first; refined counts [B, layers] int32,
    how many of them each encoder layer refined. A draft, on which the export compares, gives for
    each of its ``selections`` the scores that it chooses among too, [B, N], and the places that it
    chose, [B, K] int32, best first.
    """

    height: int  # H
    width: int  # W
    batch: int | None  # B; None: any number
    images: Literal["pixels", "normalised"]
    boxes: Literal["pixels", "unit"]
    msda: Literal["composition", "custom", "ascend"]
    engine: Literal["mindspore", "onnx", "lite"]  # what runs the file
    token_grids: tuple[Size, ...] | None = None  # (rows, columns) of each feature level
    selections: int = 0  # that are told too; only in drafts

    @property
    def inputs(self) -> Inputs:
        """Shape and type of each input, by name and in order; None: any number of pictures."""
        if self.images == "pixels":
            images = (self.batch, self.height, self.width, 3), "uint8"
        else:
            images = (self.batch, 3, self.height, self.width), "float32"
        sizes = (self.batch, 2), "int32"
        names = INPUTS if self.boxes == "pixels" else INPUTS[:-1]
        return dict(zip(names, (images, sizes, sizes), strict=False))

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in order."""
        plain = OUTPUTS if self.token_grids is None else (*OUTPUTS, *TOKEN_OUTPUTS)
        told = (name.format(i) for i in range(self.selections) for name in SELECTION_OUTPUTS)
        return (*plain, *told)


@dataclass(frozen=True)
class Sidecar:
    """All that a runner needs beside the file."""

    format_version: int
    file_sha256: str
    checkpoint_sha256: str
    class_names: tuple[str, ...]
    pixel_mean: tuple[float, float, float]  # RGB, 0..255
    pixel_std: tuple[float, float, float]
    short_side: int  # pixels that a picture's short side is resized to
    max_side: int  # but its long one stays within
    score_threshold: float  # what to show if the user does not say
    overlap_limit: float | None  # IoU above which the worse of two detections of a class is dropped
    versions: Versions
    graph: Graph
    max_detections: int | None = None  # best ones that stay of the rest; None: all


def sidecar_path(model: str | Path) -> Path:
    """Where the sidecar of a model file lies."""
    return Path(f"{model}.json")


def write_sidecar(model: str | Path, sidecar: Sidecar) -> None:
    """Write the sidecar of a model file.

    Raises:
        FocusDetrError: it cannot be written.
    """
    write_json(sidecar_path(model), asdict(sidecar), indent=1)


def read_sidecar(model: str | Path) -> Sidecar:
    """Read the sidecar of a model file and check that it is this file's.

    Raises:
        FocusDetrError: file or sidecar is missing, the sidecar lacks a key or has a bad value, or
            the file is another one, damaged or cut off.
    """
    path = sidecar_path(model)
    if not Path(model).is_file():
        raise FocusDetrError(f"there is no model {model}")
    if not path.is_file():
        raise FocusDetrError(f"model {model} needs {path}, which export.py writes beside it")
    sidecar = _parse(path)
    if sidecar.file_sha256 != sha256_of(model):
        raise FocusDetrError(
            f"{path} belongs to another file than {model}, or the model is damaged or cut off: "
            "copy both again, or export again"
        )
    return sidecar


def refuse_other_inputs(model: str | Path, graph: Graph, taken: Inputs) -> None:
    """Compare what a model file takes with what its sidecar says.

    Raises:
        FocusDetrError: they differ.
    """
    if taken != graph.inputs:
        raise FocusDetrError(
            f"{model} takes {inputs_in_words(taken)}, its sidecar says "
            f"{inputs_in_words(graph.inputs)}"
        )


def inputs_in_words(inputs: Inputs) -> str:
    """Names, shapes and types, as ``images [1, 3, 64, 96] float32``."""
    return ", ".join(f"{name} {list(shape)} {kind}" for name, (shape, kind) in inputs.items())


def _parse(path: Path) -> Sidecar:
    plain = read_json(path)
    _refuse_missing(Sidecar, plain, path, "")
    if plain["format_version"] not in _READABLE:
        raise FocusDetrError(
            f"{path} has format version {plain['format_version']}, this program reads "
            f"1 to {FORMAT_VERSION}"
        )
    for name, section in (("versions", Versions), ("graph", Graph)):
        _refuse_missing(section, plain[name], path, f"{name}.")
    sidecar: Sidecar = build(Sidecar, parse_section(Sidecar, plain, str(path)))
    _refuse_out_of_range(sidecar, path)
    return sidecar


def _refuse_out_of_range(sidecar: Sidecar, path: Path) -> None:
    """Refuse values that no export writes."""
    graph, limit, most = sidecar.graph, sidecar.overlap_limit, sidecar.max_detections
    fitting = {
        "class_names": bool(sidecar.class_names),
        "pixel_std": min(sidecar.pixel_std) > 0,
        "short_side": sidecar.short_side >= 1,
        "max_side": sidecar.max_side >= 1,
        "score_threshold": 0 <= sidecar.score_threshold <= 1,
        "overlap_limit": limit is None or 0 <= limit <= 1,
        "max_detections": most is None or most >= 1,
        "graph.height": graph.height >= 1,
        "graph.width": graph.width >= 1,
        "graph.batch": graph.batch is None or graph.batch >= 1,
    }
    for name, fits in fitting.items():
        if not fits:
            value = attrgetter(name)(sidecar)
            raise FocusDetrError(f"{path}: {name} is {value}, which is out of range")


def _refuse_missing(section: Any, plain: object, path: Path, prefix: str) -> None:
    if not isinstance(plain, dict):
        raise FocusDetrError(f"{path}: {prefix.rstrip('.') or 'the file'} is no mapping")
    needed = [field.name for field in fields(section) if field.default is MISSING]
    missing = [name for name in needed if name not in plain]
    if missing:
        raise FocusDetrError(f"{path} lacks {', '.join(prefix + name for name in missing)}")
