"""What cannot be exported is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.exporting.options import ExportOptions, check_sizes, parse_batch, parse_size


@pytest.mark.parametrize(
    ("out", "changes", "message"),
    [
        ("a.om", {}, r"a\.om must end in \.mindir"),
        ("a.onnx", {"msda": "ascend"}, "--msda ascend is an operation that ONNX does not have"),
        ("a.mindir", {"batch": 0}, "--batch 0 must be positive"),
        ("a.mindir", {"batch": None}, r"--batch any needs a \.onnx file"),
        ("a.mindir", {"threshold": float("nan")}, "--threshold and --tolerance are numbers"),
        ("a.mindir", {"tolerance": 0.0}, "--threshold and --tolerance are numbers from 0 to 1"),
        ("a.mindir", {"sizes": ((100, 96),)}, "size 100x96 does not fit the network's strides"),
        ("a.mindir", {"sizes": ((0, 96),)}, "multiples of 32"),
        ("a.mindir", {"sizes": ((64, 96), (64, 96))}, "a size is given twice"),
        ("a\udcff/b.mindir", {}, "MindSpore cannot use .* must be UTF-8"),
    ],
)
def test_what_does_not_go_together(out: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(FocusDetrError, match=message):
        ExportOptions(Path(out), **changes)


def test_onnx_files_may_have_any_name() -> None:
    assert ExportOptions(Path("a\udcff/b.onnx")).out.name == "b.onnx"


def test_names_of_one_and_of_several_files() -> None:
    options = ExportOptions(Path("served/a.mindir"))
    assert options.file((64, 96), 1) == Path("served/a.mindir")
    assert options.file((64, 96), 2) == Path("served/a_64x96.mindir")
    assert (options.graph((64, 96)).height, options.graph((64, 96)).width) == (64, 96)


def test_texts_of_the_command_line() -> None:
    assert parse_size("800x1344") == (800, 1344)
    for text in ("800", "axb", "800x-1"):
        with pytest.raises(FocusDetrError, match=f"--size {text} is no height and width"):
            parse_size(text)
    check_sizes([(32, 32), (800, 1344)])
    assert (parse_batch("4"), parse_batch("any")) == (4, None)
    for text in ("all", "-1", ""):
        with pytest.raises(FocusDetrError, match=f"--batch {text} is neither a number nor any"):
            parse_batch(text)
