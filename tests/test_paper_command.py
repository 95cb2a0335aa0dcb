"""The paper command as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coco_files import annotation, write_coco
from script_module import load_script
from small_checkpoint import write_small_checkpoint

from focus_detr.commands import paper
from focus_detr.paper import drawing

SCRIPT = Path(__file__).parent.parent / "scripts" / "paper.py"


def test_tokens_over_photographs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    checkpoint = write_small_checkpoint(tmp_path / "a.safetensors")
    write_coco(tmp_path, [(64, 96), (60, 90)])
    (tmp_path / "broken.png").write_bytes(b"no picture")
    words = ["tokens", str(tmp_path), f"--checkpoint={checkpoint}", f"--out={tmp_path / 'out'}"]
    assert load_script(SCRIPT).main(words) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed == [str(file) for file in map(Path, printed) if file.exists()]
    names = {"token_patches", "token_levels", "token_layers"}
    expected = {f"{name}{suffix}" for name in names for suffix in (".png", ".pdf")}
    assert {Path(line).name for line in printed} == expected | {"tokens.json"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["tokens", "--checkpoint=x"], "give either photographs or --annotations"),
        (["tokens", "a.png", "--checkpoint=x", "--annotations=b"], "give either photographs or"),
        (["tokens", "missing.png", "--checkpoint=x"], "there is no file or folder missing.png"),
        (["tokens", __file__, "--checkpoint=x"], "test_paper_command.py"),
        (["labels"], "give --annotations"),
        (["tokens", "a.png", "--checkpoint=x", "--images=b"], "--images goes with --annotations"),
        (
            ["labels", "--annotations=b", "--short-side=9", "--max-side=8"],
            "--short-side 9 must be at most --max-side 8",
        ),
        (["labels", "--annotations=missing.json"], "missing.json"),
        (["quality", "--checkpoint=x", "--checkpoint=y", "--annotations=z"], "are called"),
        (["costs", "dino"], "there is no row dino; did you mean family/dino_r50_36ep or family/"),
        (["costs", "focus"], "did you mean focus_detr_r50_36ep@10 or "),
        (["costs", "--height=640", "--pictures", "a"], "taken as it is: without --pictures"),
        (["costs", "--width=640", "--short-side=64"], "taken as it is: without --short-side"),
        (["costs", "--width=640", "--max-side=64"], "taken as it is: without --max-side"),
        (["costs", "--short-side=9", "--max-side=8"], "--short-side 9 must be at most"),
        (["costs", "--pictures", "missing"], "there is no file or folder missing"),
        (["costs", "--pictures", __file__], "test_paper_command.py"),
        (["quality", "--beside=x", "--checkpoint=y", "--annotations=z"], "are called"),
        (["costs", "--time=5"], "--time needs --pictures"),
        (["costs", "--warm-up=5"], "--warm-up goes with --time"),
        (["costs", "--checkpoint=missing.safetensors"], "no checkpoint missing.safetensors"),
    ],
)
def test_what_does_not_work_is_one_sentence(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert paper.main([*words, f"--out={tmp_path}"]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_is_not_there_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_coco(tmp_path, [(64, 96)], [annotation(1, 1, [4, 4, 20, 20])])
    words = ["objects", "--checkpoint=missing.safetensors", f"--annotations={data}"]
    assert paper.main([*words, f"--out={tmp_path}"]) == 2
    assert "no checkpoint missing.safetensors" in capsys.readouterr().err


def test_a_short_side_above_the_usual_long_one_is_taken(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    data = write_coco(tmp_path, [(64, 64)], [annotation(1, 1, [4, 4, 20, 20])])
    out = tmp_path / "out"
    words = ["labels", f"--annotations={data}", "--short-side=1400", f"--out={out}"]
    assert paper.main(words) == 0
    told = json.loads((out / "labels.json").read_text())
    assert (told["short_side"], told["max_side"]) == (1400, 1400)
    assert told["rules"][0]["levels"][0]["cells"] == 175**2


def test_without_matplotlib_nothing_is_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(drawing, "missing_modules", list)
    assert paper.main(["tokens", "missing.png", "--checkpoint=x"]) == 2
    assert "figures need matplotlib: pip install" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["--count=0", "--layer=1.5", "--threshold=2", "--max-side=-1"])
def test_numbers_that_make_no_sense_are_refused(word: str) -> None:
    with pytest.raises(SystemExit) as caught:
        paper.main(["tokens", "a.png", "--checkpoint=x", word])
    assert caught.value.code == 2


@pytest.mark.parametrize("kind", ["tokens", "objects", "labels", "quality", "costs"])
def test_a_folder_that_cannot_be_written_is_refused_at_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(paper, "prepare_runtime", lambda device: pytest.fail("began"))
    (tmp_path / "file").write_bytes(b"")
    words = [kind, f"--out={tmp_path / 'file' / 'out'}"]
    words += [] if kind in ("labels", "costs") else ["--checkpoint=x"]
    assert paper.main(words) == 2
    error = capsys.readouterr().err
    assert f"cannot write to {tmp_path / 'file' / 'out'}: " in error and error.count("\n") == 1


@pytest.mark.parametrize("word", ["figure7", "token"])
def test_an_unknown_kind_is_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        paper.main([word])
    assert caught.value.code == 2
    assert "choose from" in capsys.readouterr().err


def test_costs_take_one_size_for_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    checkpoint = write_small_checkpoint(tmp_path / "run" / "a.safetensors")
    words = ["costs", f"--checkpoint={checkpoint}", "--no-check", f"--out={tmp_path / 'out'}"]
    for given, size in ((["--height=64"], [64, 1066]), ([], [64, 85])):
        assert paper.main([*words, *given]) == 0
        (row,) = json.loads((tmp_path / "out" / "costs.json").read_text())["rows"]
        assert row["sizes"] == [size]
