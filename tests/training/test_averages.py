"""The moving average of the weights against a NumPy twin."""

from __future__ import annotations

import mindspore as ms
import numpy as np
from mindspore import Parameter, Tensor

from focus_detr.training.averages import Averages
from focus_detr.training.parameter_groups import TrainedParameter

DECAY = 0.3


def _followed() -> tuple[Parameter, Averages]:
    weight = Parameter(Tensor(np.zeros(3, np.float32)), name="weight")
    return weight, Averages([TrainedParameter("weight", weight, 1.0, 0.0)], DECAY)


def test_the_decay_rises_from_zero_to_its_limit() -> None:
    weight, averages = _followed()
    rng, expected = np.random.default_rng(0), np.full(3, np.nan)
    for update, decay in enumerate((0.0, 1 / 11, 2 / 12, 3 / 13, 4 / 14, DECAY, DECAY), 1):
        values = rng.normal(size=3).astype(np.float32)
        weight.set_data(Tensor(values))
        averages(Tensor(update, ms.int32))
        expected = values if update == 1 else decay * expected + (1 - decay) * values
        np.testing.assert_allclose(averages.averages[0].asnumpy(), expected, rtol=1e-5, atol=1e-6)


def test_applying_is_undone_even_after_an_error() -> None:
    weight, averages = _followed()
    averages.averages[0].set_data(Tensor(np.ones(3, np.float32)))
    try:
        with averages.applied():
            np.testing.assert_array_equal(weight.asnumpy(), 1.0)
            raise RuntimeError
    except RuntimeError:
        np.testing.assert_array_equal(weight.asnumpy(), 0.0)
    averages.restart()
    np.testing.assert_array_equal(averages.averages[0].asnumpy(), 0.0)
    assert averages.saved_parameters()[0].name == "optimizer.average.weight"
