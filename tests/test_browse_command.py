"""The data browser writes pictures of what training and evaluation would see."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import cv2
import pytest
from annotation_files import write_voc
from script_module import load_script

SCRIPT = Path(__file__).parent.parent / "scripts" / "browse_data.py"
SIZES = dict.fromkeys("abcde", (48, 64))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(SCRIPT)


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    objects = {stem: [("cat", (5, 5, 40, 40), 0)] for stem in SIZES}
    root = write_voc(tmp_path / "set", SIZES, objects)
    config = tmp_path / "config.yaml"
    config.write_text(
        f"data: {{train_annotations: {root}, val_list: {tmp_path / 'val.txt'}, workers: 0,\n"
        "  train_short_sides: [48], train_max_side: 64, test_short_side: 48, test_max_side: 64}\n"
    )
    (tmp_path / "val.txt").write_text("b\n")
    return ["--config", str(config), "--out", str(tmp_path / "out")]


def test_training_pictures_go_on_over_epochs(
    script: ModuleType, settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not script.main([*settings, "--count", "6"])
    written = sorted(Path(settings[-1]).iterdir())
    assert [path.name[:4] for path in written] == [f"000{i}" for i in range(6)]
    assert not [path for path in written if path.stem.endswith("b")]
    assert cv2.imread(str(written[0])).shape == (640, 640, 3)  # 64 x 64 pixels, enlarged
    said = capsys.readouterr().out
    assert "4 images (0 without boxes), 4 boxes" in said
    assert "6 pictures drawn into" in said


def test_validation_pictures_come_once(script: ModuleType, settings: list[str]) -> None:
    assert not script.main([*settings, "--split", "val"])
    assert [path.name for path in Path(settings[-1]).iterdir()] == ["0000_b.jpg"]


def test_a_set_without_boxes_is_shown_with_a_warning(
    script: ModuleType, tmp_path: Path, settings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    objects = {"a": [("cat", (5, 5, 4, 40), 0)]}  # without an area
    bare = write_voc(tmp_path / "bare", SIZES, objects)
    assert not script.main([f"data.train_annotations={bare}", *settings, "--count", "2"])
    assert len(list((tmp_path / "out").iterdir())) == 2
    assert "training would refuse this: " in caplog.text
    assert "has 4 images and no usable box" in caplog.text


def test_fewer_pictures_than_a_batch_are_shown_with_a_warning(
    script: ModuleType, settings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    words = [*settings, "--count", "4", "train.batch_size=9"]
    assert not script.main(words)
    assert len(list(Path(settings[-1]).iterdir())) == 4
    assert "has 4 images, too few for a batch of 9" in caplog.text


def test_bad_numbers_are_refused(script: ModuleType, settings: list[str]) -> None:
    assert script.main([*settings, "--count", "0"]) == 2
