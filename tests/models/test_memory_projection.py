"""The projection that selector and proposals share, against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, generator_for, load, weight_for
from mindspore import Tensor

from focus_detr.models.memory_projection import MemoryProjection

NAMES = {
    "linear.weight": "transformer.enc_output.weight",
    "linear.bias": "transformer.enc_output.bias",
    "norm.gamma": "transformer.enc_output_norm.weight",
    "norm.beta": "transformer.enc_output_norm.bias",
}


@pytest.mark.parametrize("case", [0, 1])
def test_projected_memory_equals_golden(case: int) -> None:
    golden = load("proposals")
    seed = golden["meta"]["seed"]
    projection = MemoryProjection(256)
    for parameter in projection.get_parameters():
        values = weight_for(NAMES[parameter.name], parameter.shape, seed)
        parameter.set_data(Tensor(values))
    usable = golden[f"c{case}/proposals_valid"].astype(np.float32)
    drawn = generator_for(seed, f"proposals{case}").standard_normal((*usable.shape, 256))
    projected = projection(Tensor(drawn.astype(np.float32)), Tensor(usable))
    check(golden, f"c{case}/output_memory", projected.asnumpy())
