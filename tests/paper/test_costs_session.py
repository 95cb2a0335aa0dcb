"""From rows, checkpoints and pictures to costs, with a small network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from coco_files import write_coco
from family_cases import small_family_config
from model_cases import pynative
from small_checkpoint import TEST_SIZE, write_small_checkpoint

from focus_detr.errors import FocusDetrError
from focus_detr.paper import costs_session, timing
from focus_detr.paper.costs_session import CostRequest, draw_cost_figures
from focus_detr.paper.detectors import NamedFile
from focus_detr.paper.photographs import PictureFile, picture_files
from focus_detr.paper.published import find_rows
from focus_detr.paper.timing import Times

pytest.importorskip("matplotlib", reason="figures need matplotlib")

NAMES = ("family/dino_r50_36ep", "family/deformable_detr_r50_50ep")


@pytest.fixture(autouse=True)
def _operation_by_operation() -> Iterator[None]:
    """Compiling would take most of the time."""
    with pynative():
        yield


@pytest.fixture
def pictures(tmp_path: Path) -> list[PictureFile]:
    write_coco(tmp_path, [(64, 96)])
    return picture_files([tmp_path], tmp_path / "out", 9, whole=True)


@pytest.fixture
def checkpoint(tmp_path: Path) -> NamedFile:
    return NamedFile("focus", write_small_checkpoint(tmp_path / "run" / "a.safetensors"))


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is a small network."""
    small = replace(small_family_config("dino_r50_36ep"), data=TEST_SIZE)
    monkeypatch.setattr(costs_session, "load_config", lambda name: small)


def _rows(out: Path) -> list[dict]:
    rows: list[dict] = json.loads((out / "costs.json").read_text())["rows"]
    return rows


def test_costs_of_a_checkpoint_are_timed_in_parts(
    checkpoint: NamedFile, pictures: list[PictureFile], tmp_path: Path
) -> None:
    request = CostRequest(checkpoints=[checkpoint], pictures=pictures, timed=3)
    files, table = draw_cost_figures(request, tmp_path / "out")
    assert not any(file.stem == "ap_by_cost" for file in files)  # nothing was published for it
    assert all(file.stat().st_size > 100 for file in files)
    assert {file.name for file in files} >= {"costs.md", "section_3_4.md", "costs.json"}
    (row,) = _rows(tmp_path / "out")
    parts = [row["times"][part] for part in ("features", "encoder", "decoder", "rest")]
    assert row["times"]["pictures"] == 3 and min(parts) > 0
    assert row["times"]["latency"] == pytest.approx(sum(parts), rel=0.5)
    assert row["times"]["per_second"] == pytest.approx(1000 / row["times"]["latency"], rel=0.5)
    assert row["check"]["built"] == pytest.approx(row["check"]["formula"], rel=0.02)
    assert "per second" in table and "| `focus` | 64 x 96 |" in table


@pytest.mark.usefixtures("_small")
def test_rows_of_the_family_are_timed_with_random_weights(
    pictures: list[PictureFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    calls, first = [], timing._time

    def time(*given: Any) -> list[float]:
        calls.append(given)
        return first(*given)

    monkeypatch.setattr(timing, "_time", time)
    request = CostRequest(rows=find_rows([NAMES[0]]), pictures=pictures, timed=2, warm_up=1)
    draw_cost_figures(request, tmp_path / "out")
    (row,) = _rows(tmp_path / "out")
    assert len(calls) == 1 + 1 + 2  # the first of its shape, the warm-up, those that count
    assert row["times"]["pictures"] == 2 and row["times"]["encoder"] > 0
    assert row["check"]["built"] < row["check"]["formula"]  # the box head of the last layer, once
    assert row["sizes"] == [[64, 96]]
    assert f"{NAMES[0]} (1 of 1): encoder " in capsys.readouterr().err


def test_without_pictures_one_image_is_resized_as_each_detector_was_trained(
    checkpoint: NamedFile, tmp_path: Path
) -> None:
    rows = find_rows(["family/sparse_detr_r50_50ep@30"])
    both = CostRequest(rows=rows, checkpoints=[checkpoint], check=False)
    _, table = draw_cost_figures(both, tmp_path)
    of_row, of_checkpoint = _rows(tmp_path)
    assert (of_row["sizes"], of_row["check"], of_row["times"]) == ([[800, 1066]], None, None)
    assert of_checkpoint["sizes"] == [[64, 85]]
    assert "| 800 x 1066 |" in table and "| 64 x 85 |" in table


@pytest.mark.parametrize(
    ("given", "size"),
    [
        ({"size": (64, 128)}, [64, 128]),
        ({"short_side": 32}, [32, 43]),
        ({"max_side": 64}, [48, 64]),
    ],
)
def test_a_size_that_is_given_counts_for_checkpoints_too(
    checkpoint: NamedFile, tmp_path: Path, given: dict, size: list[int]
) -> None:
    draw_cost_figures(CostRequest(checkpoints=[checkpoint], check=False, **given), tmp_path)
    assert _rows(tmp_path)[0]["sizes"] == [size]


def test_a_size_that_is_given_is_timed(
    checkpoint: NamedFile, pictures: list[PictureFile], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    seen = []

    def time(loaded: timing.LoadedDetector, *given: object) -> Times:
        assert given[1:] == (1, "focus", 7)
        seen.append((loaded.data.test_short_side, loaded.data.test_max_side))
        return Times("CPU", "float32", 1, 1.0, 1.0, 1.0, 1.0, 4.0, 250.0)

    monkeypatch.setattr(costs_session, "time_detector", time)
    request = CostRequest(
        checkpoints=[checkpoint], pictures=pictures, check=False, timed=1, warm_up=7
    )
    for sides in ((None, None), (32, None), (48, 48)):
        given = dict(zip(("short_side", "max_side"), sides, strict=True))
        draw_cost_figures(replace(request, **given), tmp_path / "out")
    assert seen == [(64, 96), (32, 96), (48, 48)]


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("error", [KeyboardInterrupt, FocusDetrError])
def test_what_was_measured_stays_whatever_ends_it(
    pictures: list[PictureFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    error: type[BaseException],
) -> None:  # fmt: skip
    out, timed = tmp_path / "out", timing.time_detector

    def second_ends(loaded: timing.LoadedDetector, *given: Any) -> Times:
        name = given[2]
        if name == NAMES[1]:
            assert len(_rows(out)) == 1  # before anything ends: a kill would leave it too
            raise error("here")
        return timed(loaded, *given)

    monkeypatch.setattr(costs_session, "time_detector", second_ends)
    request = CostRequest(
        rows=find_rows(list(NAMES)), pictures=pictures, check=False, timed=1, warm_up=1
    )
    with pytest.raises(error, match=r"here; .*out has the costs of 1 detector of 2"):
        draw_cost_figures(request, out)
    assert [row["published"]["name"] for row in _rows(out)] == [NAMES[0]]
    assert {"costs.png", "costs.pdf", "costs.md"} < {file.name for file in out.iterdir()}


@pytest.mark.usefixtures("_small")
def test_an_interrupt_before_the_first_row_leaves_nothing(
    pictures: list[PictureFile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> Times:
        raise KeyboardInterrupt

    monkeypatch.setattr(costs_session, "time_detector", interrupted)
    request = CostRequest(rows=find_rows([NAMES[0]]), pictures=pictures, check=False, timed=1)
    with pytest.raises(KeyboardInterrupt) as caught:
        draw_cost_figures(request, tmp_path / "out")
    assert caught.value.args == () and not (tmp_path / "out").exists()
