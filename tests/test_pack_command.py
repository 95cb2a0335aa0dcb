"""The packing command makes what training reads, and what it refuses is one sentence."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from annotation_files import write_voc
from script_module import load_script

from focus_detr.data.formats import read_annotations

SCRIPT = Path(__file__).parent.parent / "scripts" / "pack_mindrecord.py"
SIZES = dict.fromkeys("abc", (48, 64))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(SCRIPT)


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    root = write_voc(tmp_path / "set", SIZES, {"a": [("cat", (5, 5, 40, 40), 0)]})
    (tmp_path / "val.txt").write_text("b\n")
    config = tmp_path / "config.yaml"
    config.write_text(f"data: {{train_annotations: {root}, val_list: {tmp_path / 'val.txt'}}}\n")
    return ["--config", str(config), "--out", str(tmp_path / "packed")]


def test_each_part_is_packed(
    script: ModuleType, settings: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert script.main(settings) == 0
    assert "2 pictures packed into" in capsys.readouterr().out
    assert [image.name for image in read_annotations(settings[-1]).images] == ["a.png", "c.png"]
    assert script.main([*settings[:3], str(tmp_path / "val"), "--split", "val"]) == 0
    assert [image.name for image in read_annotations(tmp_path / "val").images] == ["b.png"]


def test_missing_pictures_are_left_out_or_refused(
    script: ModuleType, settings: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "set" / "JPEGImages" / "c.png").unlink()
    assert script.main([*settings, "data.broken=error"]) == 2
    assert not (tmp_path / "packed").exists()
    assert capsys.readouterr().err.count("\n") == 1
    assert script.main(settings) == 0
    assert len(read_annotations(tmp_path / "packed").images) == 1


def test_a_part_without_a_box_is_warned_of(
    script: ModuleType, settings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert script.main([*settings, "--split", "val"]) == 0
    assert [record.getMessage() for record in caplog.records] == [
        f"{settings[1].removesuffix('config.yaml')}set has 1 image and no usable box"
    ]


def test_bad_numbers_are_refused(script: ModuleType, settings: list[str]) -> None:
    assert script.main([*settings, "--shards", "0"]) == 2
