"""MindSpore Lite is called as its documentation says: a stand-in checks every call."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from exported_files import GRAPH, SIDECAR

from focus_detr.deploy.engine import open_engine
from focus_detr.deploy.runner import ExportedPredictor, ModelFile
from focus_detr.errors import FocusDetrError

LITE = replace(GRAPH, engine="lite", boxes="unit")


class ModelType(Enum):
    MINDIR = 0


class StandInContext:
    __slots__ = ("_target", "ascend")

    def __init__(self) -> None:
        self._target: list[str] = []
        self.ascend = SimpleNamespace(device_id=None)

    @property
    def target(self) -> list[str]:
        return self._target

    @target.setter
    def target(self, names: list[str]) -> None:
        assert names == ["ascend"]
        self._target = names


class StandInTensor:
    __slots__ = ("_array", "_shape")

    def __init__(self, shape: list[int], array: np.ndarray | None = None) -> None:
        self._shape, self._array = shape, array

    @property
    def shape(self) -> list[int]:
        return self._shape

    def set_data_from_numpy(self, array: np.ndarray) -> None:
        assert array.flags.c_contiguous and list(array.shape) == self._shape
        self._array = array

    def get_data_to_numpy(self) -> np.ndarray:
        assert self._array is not None
        return self._array


@dataclass
class StandIn:
    """What MindSpore Lite was given, and what it answers."""

    shapes: list[list[int]] = field(default_factory=lambda: [[1, 64, 96, 3], [1, 2]])
    outputs: int = 3
    failure: Exception | None = None
    built: list[str] = field(default_factory=list)
    fed: list[list[np.ndarray]] = field(default_factory=list)

    def model(self) -> Any:
        stand_in = self

        class Model:
            __slots__ = ("_inputs",)

            def build_from_file(self, path: str, kind: ModelType, context: StandInContext) -> None:
                assert isinstance(path, str) and kind is ModelType.MINDIR
                assert context.target == ["ascend"] and context.ascend.device_id == 0
                if stand_in.failure:
                    raise stand_in.failure
                stand_in.built.append(path)
                self._inputs = [StandInTensor(shape) for shape in stand_in.shapes]

            def get_inputs(self) -> list[StandInTensor]:
                return self._inputs

            def predict(self, inputs: list[StandInTensor]) -> list[StandInTensor]:
                assert all(
                    ours is theirs for ours, theirs in zip(self._inputs, inputs, strict=True)
                )
                stand_in.fed.append([tensor.get_data_to_numpy() for tensor in inputs])
                scores, labels = np.float32([[0.75, -1]]), np.int32([[1, 0]])
                boxes = np.float32([[[0, 0, 0.5, 0.5], [0, 0, 1, 1]]])
                arrays = [scores, labels, boxes][: stand_in.outputs]
                return [StandInTensor(list(array.shape), array) for array in arrays]

        return Model()


@pytest.fixture
def lite(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in, module = StandIn(), ModuleType("mindspore_lite")
    parts = {"Context": StandInContext, "Model": stand_in.model, "ModelType": ModelType}
    module.__dict__.update(parts)
    monkeypatch.setitem(sys.modules, "mindspore_lite", module)
    return stand_in


def test_a_picture_goes_through(lite: StandIn, tmp_path: Path) -> None:
    path = tmp_path / "a.mindir"
    predictor = ExportedPredictor([ModelFile(path, replace(SIDECAR, graph=LITE))])
    pixels = np.full((32, 40, 3), (10, 28, 38), np.uint8)
    prediction = predictor.predict(pixels)
    predictor.predict(pixels)
    assert lite.built == [str(path)] and len(lite.fed) == 2
    images, sizes = lite.fed[0]
    assert images.dtype == np.uint8 and sizes.tolist() == [[64, 80]]
    assert prediction.names == ("dog",)
    np.testing.assert_allclose(prediction.detections.boxes, [[0, 0, 20, 16]])


def test_tensors_must_be_those_of_the_sidecar(lite: StandIn) -> None:
    engine = open_engine(Path("a.mindir"), LITE, "ascend")
    with pytest.raises(FocusDetrError, match=r"a\.mindir takes \[\(1, 64, 96, 3\), .* says \[\(2"):
        engine.run(np.zeros((2, 64, 96, 3), np.uint8), np.zeros((2, 2), np.int32))
    lite.outputs = 2
    with pytest.raises(FocusDetrError, match="gives 2 tensors, its sidecar says 3"):
        engine.run(np.zeros((1, 64, 96, 3), np.uint8), np.zeros((1, 2), np.int32))


def test_what_cannot_be_run_is_one_sentence(lite: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FocusDetrError, match="was converted for Ascend, it does not run on CPU"):
        open_engine(Path("a.mindir"), LITE, "CPU")
    lite.failure = RuntimeError("build_from_file failed! Error is Common error code.\nmore")
    with pytest.raises(FocusDetrError, match=r"cannot load a\.mindir: .* Common error code\.$"):
        open_engine(Path("a.mindir"), LITE)
    monkeypatch.setitem(sys.modules, "mindspore_lite", None)
    with pytest.raises(FocusDetrError, match=r"a\.mindir needs MindSpore Lite for Ascend"):
        open_engine(Path("a.mindir"), LITE)
