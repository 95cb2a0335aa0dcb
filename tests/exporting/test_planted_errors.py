"""Errors that exports have had, planted into a small network, and named where they start."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from mindspore import Parameter, Tensor, nn
from model_cases import pynative
from small_checkpoint import write_small_checkpoint

from focus_detr.exporting import reference as module
from focus_detr.exporting.pictures import draw_picture
from focus_detr.exporting.proof import DETECTIONS, FOREGROUND, OBJECTS, PROPOSALS, Proof, prove
from focus_detr.exporting.reference import Reference
from focus_detr.inference.loading import LoadedDetector, folded_copy, load_detector
from focus_detr.models.detector import Detector
from focus_detr.models.focus_detr import FocusDETR

SIZE = (32, 64)
PICTURE = draw_picture(32, 60, seed=3)
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedDetector:
    path = write_small_checkpoint(tmp_path_factory.mktemp("planted") / "a.safetensors")
    return load_detector(path, fold=False)


@pytest.fixture(scope="module", autouse=True)
def _pynative() -> Iterator[None]:
    with pynative():
        yield


@pytest.fixture(scope="module")
def networks(loaded: LoadedDetector) -> tuple[Reference, Reference, FocusDETR]:
    """The checkpoint's, one that is to be spoilt, and the latter's cell."""
    other = folded_copy(loaded)
    return Reference(loaded, SIZE), Reference(other, SIZE), other.cell.model


def weight(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[..., None]:
    """An error in the first weight whose name contains this."""

    def plant(model: FocusDETR, patch: pytest.MonkeyPatch) -> None:
        found = next(item for item in model.get_parameters() if name in item.name)
        patch.setattr(found, "restored", found.asnumpy().copy(), raising=False)
        found.set_data(Tensor(change(found.asnumpy()).astype(np.float32)))

    return plant


@contextmanager
def spoilt(model: FocusDETR) -> Iterator[None]:
    """Weights come back at the end."""
    kept = {item.name: item.asnumpy().copy() for item in model.get_parameters()}
    try:
        yield
    finally:
        for item in model.get_parameters():
            item.set_data(Tensor(kept[item.name]))


def compared(networks: tuple[Reference, Reference, FocusDETR]) -> Proof:
    expected, found, _ = networks
    theirs = found.compute(PICTURE)
    return prove(expected.names, expected.compute(PICTURE, theirs.selections), theirs, TOLERANCE)
