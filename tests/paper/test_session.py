"""From checkpoints and pictures to files, with a small network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from coco_files import annotation, write_coco
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
from focus_detr.paper import session
from focus_detr.paper.detectors import NamedFile, named_files
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


def test_what_cannot_be_drawn_is_refused_before_a_picture_is_looked_at(
    focus: NamedFile, dense: NamedFile, pictures: Pictures, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(session.WatchedDetector, "open", lambda *_, **__: pytest.fail("opened"))
    with pytest.raises(FocusDetrError, match="focus has 1 encoder layer, no layer 2"):
        draw_token_figures([focus], pictures, tmp_path, count=1, layer=2)
    with pytest.raises(FocusDetrError, match="dense selects no tokens: its encoder keeps all"):
        draw_token_figures([dense], pictures, tmp_path, count=1)
    with pytest.raises(FocusDetrError, match=r"b\.safetensors has no object tokens"):
        draw_object_figures(dense, pictures, tmp_path)
