"""Tiny Pascal VOC and YOLO data sets for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

NAMES = ("cat", "dog")
VocObject = tuple[str, Sequence[float], int]  # name; xmin, ymin, xmax, ymax; difficult


def write_picture(path: Path, size: tuple[int, int]) -> None:
    """A noise picture of (height, width)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(size[0]).integers(0, 256, (*size, 3))
    cv2.imwrite(str(path), pixels.astype(np.uint8))


def voc_xml(file_name: str, size: tuple[int, int] | None, objects: Sequence[VocObject] = ()) -> str:
    """One annotation file; ``size`` is (height, width) or not given."""
    lines = ["<annotation>", f"<filename>{file_name}</filename>"]
    if size is not None:
        lines.append(f"<size><width>{size[1]}</width><height>{size[0]}</height></size>")
    for name, corners, difficult in objects:
        keys = ("xmin", "ymin", "xmax", "ymax")
        box = "".join(f"<{k}>{v:g}</{k}>" for k, v in zip(keys, corners, strict=True))
        lines += [f"<object><name>{name}</name><difficult>{difficult}</difficult>"]
        lines += [f"<bndbox>{box}</bndbox></object>"]
    return "\n".join([*lines, "</annotation>"])


def write_voc(
    root: Path, sizes: Mapping[str, tuple[int, int]], objects: Mapping[str, Sequence[VocObject]]
) -> Path:
    """``Annotations`` and ``JPEGImages`` below ``root``; stem -> (height, width) and objects."""
    (root / "Annotations").mkdir(parents=True)
    for stem, size in sizes.items():
        write_picture(root / "JPEGImages" / f"{stem}.png", size)
        xml = voc_xml(f"{stem}.png", size, objects.get(stem, ()))
        (root / "Annotations" / f"{stem}.xml").write_text(xml)
    return root


def write_yolo(root: Path, sizes: Mapping[str, tuple[int, int]], labels: Mapping[str, str]) -> Path:
    """``images/train``, ``labels/train`` and data.yaml below ``root``; returns the last."""
    for stem, size in sizes.items():
        write_picture(root / "images" / "train" / f"{stem}.png", size)
    (root / "labels" / "train").mkdir(parents=True)
    for stem, text in labels.items():
        (root / "labels" / "train" / f"{stem}.txt").write_text(text)
    path = root / "data.yaml"
    path.write_text(f"train: images/train\nval: images/train\nnames: [{', '.join(NAMES)}]\n")
    return path
