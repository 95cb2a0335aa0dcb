"""Saved detections are read back, or refused with the name of the file."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.results_io import exact_results, read_results
from focus_detr.io.files import write_json


def test_round_trip_creates_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    results = [{"image_id": 1, "category_id": 2, "bbox": [0.5, 1, 2, 3], "score": 0.25}]
    write_json(path, results)
    assert read_results(path) == results
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


def test_keys_may_be_in_another_style() -> None:
    exact = {"image_id": 1, "category_id": 2, "bbox": [0.5, 1, 2, 3], "score": 0.25}
    keys = ("imageId", "CategoryID", "bBox", "Score")
    other = dict(zip(keys, exact.values(), strict=True))
    assert exact_results([other, exact], "here") == [exact, exact]


@pytest.mark.parametrize("content", ["", "[{", "{}", "[1]", "\x00", "[" * 10**5])
def test_bad_results_name_the_file(tmp_path: Path, content: str) -> None:
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(FocusDetrError, match=r"results\.json"):
        read_results(path)


def test_binary_results_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FocusDetrError, match=r"results\.json"):
        read_results(path)


def test_missing_results_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"cannot read .*absent\.json"):
        read_results(tmp_path / "absent.json")
