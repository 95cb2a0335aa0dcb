"""State of what follows the weights, and settings that make it."""

from __future__ import annotations

import numpy as np
import pytest
from mindspore import Tensor
from tiny_training import TinyModel

from focus_detr.config.schema import OptimizerConfig, TrainConfig
from focus_detr.errors import FocusDetrError
from focus_detr.training.update import Update, build_update


def _update(model: TinyModel, **options: object) -> Update:
    decay = float(options.pop("ema_decay", 0.0))  # type: ignore[arg-type]
    optimizer = OptimizerConfig(ema_decay=decay)
    return build_update(model, TrainConfig(optimizer=optimizer, **options))  # type: ignore[arg-type]


def test_published_settings_have_neither_averages_nor_scale() -> None:
    update = _update(TinyModel())
    assert update.averages is None and update.loss_scale is None
    assert update.scaling() == {} and not update.can_shrink_scale()
    with update.averaged():
        assert all(name.split(".")[1] in ("first", "second", "step") for name in update.state())


def test_a_state_without_averages_and_scale_starts_them() -> None:
    plain = _update(TinyModel()).state()
    model = TinyModel(seed=3)
    update = _update(model, ema_decay=0.9, precision="fp16")
    model.label_embed.set_data(Tensor(np.full((2, 4), 7.0, np.float32)))
    update.load_state(plain)
    state = update.state()
    np.testing.assert_array_equal(state["optimizer.average.label_embed"], 7.0)
    assert update.scaling() == {"loss_scale": 2.0**16, "skipped": 0}
    state["optimizer.loss_scale"] = np.array(4.0, np.float32)
    state["optimizer.average.label_embed"] = np.ones((2, 4), np.float32)
    update.load_state(state)
    assert update.scaling() == {"loss_scale": 4.0, "skipped": 0}
    assert update.averages is not None
    with update.averaged():
        np.testing.assert_array_equal(model.label_embed.asnumpy(), 1.0)


def test_a_missing_average_is_named() -> None:
    update = _update(TinyModel(), ema_decay=0.9)
    state = update.state()
    del state["optimizer.average.norm.gamma"]
    with pytest.raises(FocusDetrError, match=r"optimizer\.average\.norm\.gamma is missing"):
        update.load_state(state)
