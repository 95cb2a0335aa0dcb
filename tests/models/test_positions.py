"""Position embeddings against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, load
from mindspore import Parameter, Tensor

from focus_detr.models.box_math import box_sigmoid, inverse_sigmoid
from focus_detr.models.grid import GridBuilder
from focus_detr.models.positions import BoxSineEmbedding, SinePositionEmbedding


@pytest.mark.parametrize("grid", ["c0", "c1"])
@pytest.mark.parametrize(
    ("recipe", "temperature", "offset"), [("T10000_offm05", 10000, -0.5), ("T20_off0", 20, 0.0)]
)
def test_grid_embedding(grid: str, recipe: str, temperature: float, offset: float) -> None:
    golden = load("pos_embed")
    valid = ~golden[f"{grid}/mask"].astype(bool)  # [B, h, w]
    batch, height, width = valid.shape
    extents = np.stack((valid.any(axis=1).sum(1), valid.any(axis=2).sum(1)), -1)  # [B, 2]
    embed = SinePositionEmbedding(256, temperature=temperature, offset=offset)
    builder = GridBuilder(embed, Parameter(Tensor(np.zeros((1, 256), np.float32))))
    cells = np.indices((height, width)).reshape(2, -1)[::-1].T  # [h*w, 2]
    inside = cells[None] < extents[:, None]
    np.testing.assert_array_equal(valid.reshape(batch, -1), inside.all(-1))
    found = builder.position(
        Tensor(extents[:, None].astype(np.float32)), Tensor(inside), ((height, width),)
    ).asnumpy()  # [B, h*w, C]
    maps = found.reshape(batch, height, width, 256).transpose(0, 3, 1, 2)
    check(golden, f"{grid}/{recipe}", maps)


def test_box_embedding() -> None:
    golden = load("pos_embed")
    check(
        golden,
        "decoder_sine/out",
        BoxSineEmbedding(256)(Tensor(golden["decoder_sine/in"])).asnumpy(),
    )


def test_inverse_sigmoid_and_its_inverse() -> None:
    golden = load("pos_embed")
    logits = inverse_sigmoid(Tensor(golden["inverse_sigmoid/in"]))
    check(golden, "inverse_sigmoid/out", logits.asnumpy())
    inside = np.linspace(0.002, 0.998, 97).astype(np.float32)
    back = box_sigmoid(inverse_sigmoid(Tensor(inside))).asnumpy()
    np.testing.assert_allclose(back, inside, rtol=1e-6)
    extreme = box_sigmoid(Tensor(np.array([-1e4, 1e4], np.float32))).asnumpy()
    np.testing.assert_allclose(extreme, [0.0, 1.0], atol=1e-20)
