"""How MindSpore Lite behaves: what ``LiteEngine`` counts on, and what it must beware of.

The same function runs on the stand-in and, where it can be had, on the real library.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

IMAGES = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
SIZES = np.int32([[3, 4]])


def check_contract(lite: Any, path: Path) -> None:
    """``path`` takes images and sizes and doubles both, ``lite`` is a module."""
    model = lite.Model()
    context = lite.Context()
    context.target = ["ascend"]
    context.ascend.device_id = 0
    with pytest.raises(RuntimeError, match="model_path does not exist"):
        model.build_from_file(f"{path}.none", lite.ModelType.MINDIR, context)
    model.build_from_file(str(path), lite.ModelType.MINDIR, context)
    _check_tensors(model)
    _check_what_is_taken(model.get_inputs()[0])
    _check_memory(model)


def _check_tensors(model: Any) -> None:
    """Tensors are new objects each time, and say what they are."""
    first, second = model.get_inputs(), model.get_inputs()
    assert all(one is not other for one, other in zip(first, second, strict=True))
    found = [(tensor.name, tensor.dtype.name, tensor.shape) for tensor in first]
    assert found == [("images", "FLOAT32", [1, 3, 4]), ("image_sizes", "INT32", [1, 2])]


def _check_what_is_taken(images: Any) -> None:
    """Type and number of bytes count, the shape does not."""
    with pytest.raises(RuntimeError, match=r"data type not equal! Numpy type: .*float64"):
        images.set_data_from_numpy(IMAGES.astype(np.float64))
    with pytest.raises(RuntimeError, match="data size not equal! Numpy size: 24, Tensor size: 48"):
        images.set_data_from_numpy(IMAGES[:, :, :2])
    with pytest.raises(TypeError):
        images.set_data_from_numpy(IMAGES.tolist())
    images.set_data_from_numpy(IMAGES.reshape(4, 3, 1))


def _check_memory(model: Any) -> None:
    """Arrays are shared until the run, and results until the next one."""
    images, sizes = IMAGES.copy(), SIZES.copy()
    inputs = model.get_inputs()
    for tensor, array in zip(inputs, (images, sizes), strict=True):
        tensor.set_data_from_numpy(array)
    images += 1
    with pytest.raises(TypeError):
        model.predict(tuple(inputs))
    first = model.predict(inputs)
    views = [tensor.get_data_to_numpy() for tensor in first]
    copies = [view.copy() for view in views]
    np.testing.assert_array_equal(copies[0], 2 * IMAGES + 2)
    np.testing.assert_array_equal(copies[1], 2 * SIZES)
    images[:] = 7
    second = model.predict(inputs)
    assert all(one is not other for one, other in zip(first, second, strict=True))
    np.testing.assert_array_equal(views[0], np.full_like(IMAGES, 14))
