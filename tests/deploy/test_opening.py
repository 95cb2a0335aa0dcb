"""What an exported model or a checkpoint cannot do is refused before it is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from exported_files import write_model

from focus_detr.deploy.engine_options import EngineOptions
from focus_detr.deploy.opening import Source
from focus_detr.errors import FocusDetrError


def test_tokens_of_a_model_that_does_not_tell_them_are_refused(tmp_path: Path) -> None:
    model = write_model(tmp_path / "a.mindir")
    with pytest.raises(FocusDetrError, match=r"a\.mindir does not tell which tokens it kept: use "):
        Source(None, str(model), tokens=True).open()


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (EngineOptions(graphs="kept"), "--graphs kept"),
        (EngineOptions("openvino"), "--engine openvino"),
        (EngineOptions(precision="bf16"), "--precision bf16"),
    ],
)
def test_a_mindir_has_no_choice_of_engines(
    tmp_path: Path, options: EngineOptions, given: str
) -> None:
    model = write_model(tmp_path / "a.mindir")
    with pytest.raises(
        FocusDetrError, match=rf"{given} is for \.onnx files: .*a\.mindir runs with"
    ):
        Source(None, str(model), options=options).open()


@pytest.mark.parametrize("options", [EngineOptions("openvino"), EngineOptions(precision="f16")])
def test_a_checkpoint_has_no_engine(options: EngineOptions) -> None:
    with pytest.raises(FocusDetrError, match="is for exported files: leave it out, or export the"):
        Source("a.safetensors", None, options=options)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_a_checkpoint_has_two_precisions(precision: str) -> None:
    Source("a.safetensors", None, options=EngineOptions(precision=precision))
