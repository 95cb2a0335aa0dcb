"""JSON files are read with a clear error and written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.results_io import read_results, write_json, write_whole


def test_round_trip_creates_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results.json"
    results = [{"image_id": 1, "category_id": 2, "bbox": [0.5, 1, 2, 3], "score": 0.25}]
    write_json(path, results)
    assert read_results(path) == results
    assert [file.name for file in path.parent.iterdir()] == ["results.json"]


@pytest.mark.parametrize("content", ["", "[{", "{}", "[1]", "\x00"])
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


def test_refused_value_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_json(path, [1])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, [float("nan")])
    assert path.read_text() == "[1]\n"


def test_unwritable_target_is_named_and_leaves_no_part(tmp_path: Path) -> None:
    target = tmp_path / "folder"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(FocusDetrError, match=r"cannot write .*folder"):
        write_whole(target, b"x")
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
