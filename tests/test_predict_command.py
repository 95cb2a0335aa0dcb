"""The predict command's arguments."""

from __future__ import annotations

from pathlib import Path

import pytest

from focus_detr.commands import predict


def test_inputs_may_stand_on_both_sides_of_an_option() -> None:
    given = predict.parse_arguments(["a.png", "--checkpoint", "x", "b.png"])
    assert given.inputs == [Path("a.png"), Path("b.png")]


def test_an_input_behind_two_dashes_may_look_like_an_option() -> None:
    assert predict.parse_arguments(["--checkpoint", "x", "--", "-x.jpg"]).inputs == [Path("-x.jpg")]


@pytest.mark.parametrize("text", ["7", "-0.1", "nan", "high"])
def test_a_threshold_that_is_no_score_is_refused(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        predict.main(["--checkpoint", "x", "a.png", f"--threshold={text}"])
    assert caught.value.code == 2
    assert f"argument --threshold: {text!r} is no number from 0 to 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.png", "--checkpoint=x"], "there is no file or folder missing.png"),
        ([__file__, "--checkpoint=missing.safetensors"], "no checkpoint missing.safetensors"),
        (["", "--checkpoint=x"], "an INPUT is empty: name a picture"),
        ([__file__, "--checkpoint=x", "--frames=0"], "--frames 0 must be positive"),
        ([__file__, "--model=b.safetensors"], "b.safetensors is a checkpoint, no exported model"),
        ([__file__, "--checkpoint=a.onnx"], "a.onnx is an exported model, no checkpoint"),
        ([__file__, "--checkpoint=x", "--short-side=-5"], "--short-side -5 must be positive"),
        (
            [__file__, "--checkpoint=x", "--short-side=9", "--max-side=8"],
            "--short-side 9 must be at most --max-side 8",
        ),
    ],
)
def test_what_is_not_there_is_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert predict.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
