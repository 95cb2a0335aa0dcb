"""From checkpoints and pictures to files, with a small network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from coco_files import annotation, write_coco
from family_cases import small_family_config
from model_cases import pynative, small_config
from small_checkpoint import CLASSES, TEST_SIZE, write_small_checkpoint

from focus_detr.config.schema import (
    Config,
    EncoderConfig,
    ForegroundSelectorConfig,
)
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import write_whole
from focus_detr.models.factory import build_model
from focus_detr.paper import costs_session, timing
from focus_detr.paper.costs_session import CostRequest, draw_cost_figures
from focus_detr.paper.detectors import NamedFile, named_files
from focus_detr.paper.photographs import read_photographs
from focus_detr.paper.published import find_rows
from focus_detr.paper.session import (
    Pictures,
    draw_label_figures,
    draw_object_figures,
    draw_quality_figures,
    draw_token_figures,
)
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint

pytest.importorskip("matplotlib", reason="figures need matplotlib")

BOXES = ([4, 5, 40, 30], [50, 20, 30, 40])


@pytest.fixture(autouse=True)
def _operation_by_operation() -> Iterator[None]:
    """Compiling would take most of the time."""
    with pynative():
        yield


@pytest.fixture(scope="module")
def focus(tmp_path_factory: pytest.TempPathFactory) -> NamedFile:
    return NamedFile(
        "focus", write_small_checkpoint(tmp_path_factory.mktemp("a") / "a.safetensors")
    )


@pytest.fixture(scope="module")
def dense(tmp_path_factory: pytest.TempPathFactory) -> NamedFile:
    """A network without selection and dual attention."""
    path = tmp_path_factory.mktemp("dense") / "b.safetensors"
    encoder = EncoderConfig(
        layers=2, ffn_width=48, points=2, cascade=(1.0, 1.0), dual_attention=False
    )
    selector = ForegroundSelectorConfig(enabled=False)
    config = Config(
        model=small_config(encoder=encoder, foreground_selector=selector), data=TEST_SIZE
    )
    network = build_model(config.model, len(CLASSES))
    save_checkpoint(path, model_tensors(network), describe(config, CLASSES))
    return NamedFile("dense", path)


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    """Two pictures with boxes and one without."""
    pairs = [(image, box) for image in (1, 2) for box in BOXES]
    boxes = [annotation(number, *pair) for number, pair in enumerate(pairs, start=1)]
    return Pictures(annotations=write_coco(tmp_path, [(64, 96), (60, 90), (64, 64)], boxes))


def _json(files: list[Path]) -> dict:
    (path,) = [file for file in files if file.suffix == ".json"]
    assert all(file.stat().st_size > 100 for file in files)
    return json.loads(path.read_text())


def test_tokens_of_two_detectors(
    focus: NamedFile, dense: NamedFile, pictures: Pictures, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    files = draw_token_figures([focus, dense], pictures, tmp_path / "out", count=2)
    assert [file.name for file in files if file.suffix == ".png"] == [
        "token_patches.png", "token_levels.png", "token_layers.png",
    ]  # fmt: skip
    counts = _json(files)["pictures"]
    assert [(each["detector"], each["picture"]) for each in counts] == [
        ("focus", "1.png"), ("dense", "1.png"), ("focus", "2.png"), ("dense", "2.png"),
    ]  # fmt: skip
    assert counts[0]["layers"][0]["kept"] == counts[0]["layers"][0]["cells"] // 2 + 1
    assert counts[1]["layers"][0]["kept"] == counts[1]["layers"][0]["cells"]
    assert "dense selects no tokens: its encoder keeps all of them" in caplog.text


def test_objects_of_a_data_set_know_its_boxes(
    focus: NamedFile, pictures: Pictures, tmp_path: Path
) -> None:
    numbers = _json(draw_object_figures(focus, pictures, tmp_path / "out", count=1))
    assert len(numbers["pictures"]) == 3 and numbers["pictures"][2]["covered"] is None
    assert 0 < numbers["covered"] < 1
    assert numbers["mean"][0]["objects"] == 20


def test_a_detector_without_object_tokens_is_refused(
    dense: NamedFile, pictures: Pictures, tmp_path: Path
) -> None:
    with pytest.raises(FocusDetrError, match=r"b\.safetensors has no object tokens"):
        draw_object_figures(dense, pictures, tmp_path)


def test_labels_need_boxes(pictures: Pictures, tmp_path: Path) -> None:
    files = draw_label_figures(pictures, tmp_path / "out", short_side=128, max_side=256)
    rules = _json(files)["rules"]
    assert [rule["boxes"] for rule in rules] == [4] * 3
    none = write_coco(tmp_path, [(40, 40)])
    with pytest.raises(FocusDetrError, match=r"none of the first 1 images of .* has a box"):
        draw_label_figures(Pictures(annotations=none), tmp_path)
    with pytest.raises(FocusDetrError, match="give either photographs or --annotations"):
        draw_label_figures(Pictures(), tmp_path)


def test_a_data_set_of_broken_pictures_is_refused(
    focus: NamedFile, pictures: Pictures, tmp_path: Path
) -> None:
    for file in tmp_path.glob("*.png"):
        file.write_bytes(file.read_bytes()[:60])  # the size can still be read
    for draw in (draw_token_figures, draw_object_figures, draw_quality_figures):
        detectors = focus if draw is draw_object_figures else [focus]
        with pytest.raises(FocusDetrError, match="no picture of the data set can be read"):
            draw(detectors, pictures, tmp_path / "out")
    with pytest.raises(FocusDetrError, match="no picture of the data set can be read"):
        draw_label_figures(pictures, tmp_path / "out")


def test_quality_of_two_detectors(
    focus: NamedFile, dense: NamedFile, pictures: Pictures, tmp_path: Path
) -> None:
    files, table = draw_quality_figures([focus, dense], pictures, tmp_path / "out")
    first, second = _json(files)["detectors"]
    assert first["pictures"] == second["pictures"] == 3
    assert first["layers"][0]["recall"]["all"] < 1 == second["layers"][0]["recall"]["all"]
    assert second["corr"]["kept"] == pytest.approx(1, abs=1e-6)
    assert 0 < first["corr"]["kept"] < 1
    assert (tmp_path / "out" / "quality.md").read_text() == table


def test_costs_of_a_checkpoint_are_timed_in_parts(focus: NamedFile, tmp_path: Path) -> None:
    write_coco(tmp_path, [(64, 96)])
    photographs = read_photographs([tmp_path], tmp_path / "out", 9)
    rows = find_rows(["family/sparse_detr_r50_50ep@30"])
    untimed = CostRequest(rows=rows, check=False, photographs=photographs, short_side=64)
    (row,) = _json(draw_cost_figures(untimed, tmp_path / "out")[0])["rows"]
    assert (row["sizes"], row["check"], row["times"]) == ([[64, 96]], None, None)
    request = CostRequest(checkpoints=[focus], photographs=photographs, timed=3)
    files, table = draw_cost_figures(request, tmp_path / "out")
    assert not any(file.stem == "ap_by_cost" for file in files)  # nothing was published for it
    (row,) = _json(files)["rows"]
    parts = [row["times"][part] for part in ("features", "encoder", "decoder", "rest")]
    assert row["times"]["pictures"] == 3 and min(parts) > 0
    assert row["times"]["latency"] == pytest.approx(sum(parts), rel=0.5)
    assert row["times"]["per_second"] == pytest.approx(1000 / row["times"]["latency"], rel=0.5)
    assert row["check"]["built"] == pytest.approx(row["check"]["formula"], rel=0.02)
    assert "per second" in table and "| `focus` |" in table


def test_rows_of_the_family_are_timed_with_random_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    small = replace(small_family_config("dino_r50_36ep"), data=TEST_SIZE)
    monkeypatch.setattr(costs_session, "load_config", lambda name: small)
    monkeypatch.setattr(timing, "WARM_UP", 1)
    write_coco(tmp_path, [(64, 96)])
    photographs = read_photographs([tmp_path], tmp_path / "out", 9)
    rows = find_rows(["family/dino_r50_36ep"])
    request = CostRequest(rows=rows, photographs=photographs, timed=2, short_side=64)
    (row,) = _json(draw_cost_figures(request, tmp_path / "out")[0])["rows"]
    assert row["times"]["pictures"] == 2 and row["times"]["encoder"] > 0
    assert row["check"]["built"] < row["check"]["formula"]  # the box head of the last layer, once
    assert row["sizes"] == [[64, 96]]


def test_names_tell_files_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = tmp_path / "run" / "a.safetensors", tmp_path / "other" / "a.safetensors"
    assert [file.name for file in named_files([str(one), f"mine={other}"])] == ["run", "mine"]
    tuned = tmp_path / "lr=0.1" / "a.safetensors"
    assert named_files([str(tuned)]) == [NamedFile("lr=0.1", tuned)]
    write_whole(tuned, b"there")
    monkeypatch.chdir(tmp_path)
    here = "lr=0.1/a.safetensors"
    assert named_files([here]) == [NamedFile("lr=0.1", Path(here))]
    with pytest.raises(FocusDetrError, match="two detectors are called run: write NAME=FILE"):
        named_files([str(one), str(one)])


def test_a_layer_that_is_not_there_is_refused(
    focus: NamedFile, pictures: Pictures, tmp_path: Path
) -> None:
    with pytest.raises(FocusDetrError, match="focus has 1 encoder layer, no layer 2"):
        draw_token_figures([focus], pictures, tmp_path, count=1, layer=2)
