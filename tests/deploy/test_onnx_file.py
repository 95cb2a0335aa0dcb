"""ONNX files run alike with every engine, and what one refuses is one sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_sums import ONNX_GRAPH, write_onnx

from focus_detr.deploy.engine import Engine, open_engine
from focus_detr.deploy.engine_options import ENGINES, EngineOptions
from focus_detr.deploy.onnx_engine import OnnxEngine
from focus_detr.deploy.openvino_engine import OpenVinoEngine
from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError

CLASSES = {"onnxruntime": OnnxEngine, "openvino": OpenVinoEngine}
NAMES = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
REASONS = {  # for two image sizes where one is taken
    "onnxruntime": "Got invalid dimensions for input: image_sizes",
    "openvino": r"got \[2,2\]",
}
EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}
IMAGES = np.arange(6, dtype=np.float32).reshape(1, 3, 1, 2)
SIZES = np.int32([[5, 6]])

every_engine = pytest.mark.parametrize("name", ENGINES)


def opened(path: Path, name: str, graph: Graph = ONNX_GRAPH, device: str | None = None) -> Engine:
    return open_engine(path, graph, device, EngineOptions(name))


@every_engine
def test_inputs_go_by_name_and_outputs_come_in_order(tmp_path: Path, name: str) -> None:
    engine = opened(write_onnx(tmp_path / "a.onnx"), name)
    assert type(engine) is CLASSES[name]
    scores, labels, boxes = engine.run(IMAGES, SIZES)
    np.testing.assert_array_equal(scores, IMAGES + 1)
    np.testing.assert_array_equal(boxes, IMAGES)
    assert labels.tolist() == [[5, 6]] and labels.dtype == np.int32


@every_engine
def test_outputs_stay_as_they_are_when_the_engine_runs_again(tmp_path: Path, name: str) -> None:
    engine = opened(write_onnx(tmp_path / "a.onnx"), name)
    images = IMAGES.copy()
    first = engine.run(images, SIZES)
    images += 100
    engine.run(images, SIZES + 100)
    np.testing.assert_array_equal(first[0], IMAGES + 1)
    np.testing.assert_array_equal(first[2], IMAGES)
    assert first[1].tolist() == [[5, 6]]
    assert all(array.flags.writeable for array in first)


@every_engine
def test_any_number_of_pictures(tmp_path: Path, name: str) -> None:
    path = write_onnx(tmp_path / "a.onnx", batch="pictures")
    engine = opened(path, name, replace(ONNX_GRAPH, batch=None))
    for number in (3, 1, 2):
        images = np.concatenate([IMAGES + index for index in range(number)])
        scores, labels, _ = engine.run(images, np.repeat(SIZES, number, axis=0))
        np.testing.assert_array_equal(scores, images + 1)
        assert labels.shape == (number, 2)


@every_engine
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 32}, r"a\.onnx takes images \[1, 3, 1, 2\].* says images \[1, 3, 32, 2\]"),
        ({"batch": None}, r"a\.onnx takes .* says images \[None, 3, 1, 2\]"),
        ({"images": "pixels"}, "a.onnx takes .*float32.* says .*uint8"),
        ({"boxes": "pixels"}, "a.onnx takes .* says .*picture_sizes"),
        ({"token_grids": ((1, 1),)}, "a.onnx does not give ranked_tokens, refined_counts"),
    ],
)
def test_another_files_sidecar_is_refused(
    tmp_path: Path, name: str, changes: dict[str, Any], message: str
) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    with pytest.raises(FocusDetrError, match=message):
        opened(path, name, replace(ONNX_GRAPH, **changes))


@every_engine
@pytest.mark.parametrize("device", ["Ascend", "GPU"])
def test_other_devices_are_refused(tmp_path: Path, name: str, device: str) -> None:
    with pytest.raises(FocusDetrError, match=f"an ONNX file, which runs on CPU, not {device}"):
        opened(write_onnx(tmp_path / "a.onnx"), name, device=device)


@every_engine
def test_what_cannot_be_run_is_one_sentence(tmp_path: Path, name: str) -> None:
    path = write_onnx(tmp_path / "a.onnx")
    engine = opened(path, name, device="cpu")
    sentence = rf"^{NAMES[name]} cannot run .*a\.onnx: "
    with pytest.raises(FocusDetrError, match=rf"{sentence}.+$"):
        engine.run(np.concatenate([IMAGES] * 2), SIZES)
    with pytest.raises(FocusDetrError, match=rf"{sentence}.*{REASONS[name]}.*$"):
        engine.run(IMAGES, np.repeat(SIZES, 2, axis=0))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(FocusDetrError, match=rf"^{NAMES[name]} cannot load .*a\.onnx: .+$"):
        opened(path, name)


@every_engine
def test_without_the_package_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    command = rf"`pip install -e '\.\[{EXTRAS[name]}\]'`$"
    with pytest.raises(FocusDetrError, match=rf"a\.onnx needs {NAMES[name]}: {command}"):
        opened(tmp_path / "a.onnx", name)
