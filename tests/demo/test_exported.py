"""Exported models on the page: an ONNX file, with and without its kept tokens."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from constant_onnx import write_constant_onnx
from demo_server import picture, running

from focus_detr.demo.model_queue import open_model
from focus_detr.deploy.opening import Source


@pytest.mark.parametrize("tokens", [False, True])
def test_an_onnx_file_tells_the_tokens_that_it_was_exported_with(
    tmp_path: Path, tokens: bool
) -> None:
    path = write_constant_onnx(tmp_path / "a.onnx", tokens=tokens)
    with running(partial(open_model, Source(None, str(path)))) as client:
        assert client.ask("/api/model").json["tokens"] is tokens
        answer = client.detect(picture(size=(48, 64))).json
        assert answer["detections"] == [
            {"label": 1, "name": "dog", "score": 0.75, "box": [16.0, 12.0, 48.0, 36.0]}
        ]
        wanted = client.detect(picture(size=(48, 64)), "?tokens=true")
    if not tokens:
        assert (wanted.status, wanted.error) == (400, "this model was exported without --tokens")
        return
    first, second = wanted.json["tokens"]["layers"]
    # 48x64 becomes 64x85 in 64x96: 11 of 12 columns of stride 8, all 6 of stride 16
    assert (first["kept"], first["cells"]) == (8 * 11 + 4 * 6, 8 * 11 + 4 * 6)
    assert [level["kept"] for level in second["levels"]] == [22, 0]
