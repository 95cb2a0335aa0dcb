"""What counts and what does not when graphs are looked up."""

from __future__ import annotations

import shutil
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from mindspore import Tensor, nn
from model_cases import as_map

import focus_detr
from focus_detr.config.loading import load_config
from focus_detr.config.schema import Config
from focus_detr.graph_cache.identity import graph_name, influential, run_identity
from focus_detr.models.backbones.frozen_conv import FrozenConv

BASE = load_config(None, ["model.num_classes=3"])


@pytest.mark.parametrize(
    "change",
    [
        "model.num_classes=4",
        "model.encoder.cascade=[1.0, 0.8, 0.6, 0.6, 0.4, 0.3]",
        "model.padding.evaluation=none",
        "model.max_detections=100",
        "loss.giou_weight=2.5",
        "loss.matcher=graph",
        "denoising.box_noise=0.5",
        "train.precision=fp16",
        "train.accumulate=2",
        "train.recompute=[encoder]",
        "train.optimizer.clip_norm=0.2",
        "train.optimizer.ema_decay=0.9",
        "train.optimizer.freeze=[norm]",
        "train.optimizer.groups=[{pattern: norm, lr_factor: 0.5}]",
    ],
)
def test_settings_of_the_network_and_the_step_count(change: str) -> None:
    changed = load_config(None, ["model.num_classes=3", change])
    assert influential(changed) != influential(BASE)


@pytest.mark.parametrize(
    "change",
    ["data.flip=0.1", "train.output_dir=x", "train.seed=7", "train.schedule.warmup_steps=3"],
)
def test_settings_of_data_and_schedule_do_not(change: str) -> None:
    changed = load_config(None, ["model.num_classes=3", change])
    assert influential(changed) == influential(BASE)


def test_every_setting_that_is_left_out_is_left_out_on_purpose() -> None:
    assert {field.name for field in fields(Config)} - influential(BASE).keys() == {"data", "eval"}
    counted = {"accumulate", "precision", "recompute", "optimizer"}
    assert influential(BASE)["train"].keys() == counted


def test_sources_variables_and_workers_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = shutil.copytree(Path(focus_detr.__file__).parent, tmp_path / "focus_detr")
    here = run_identity(BASE, 1)
    assert run_identity(BASE, 1) == here
    assert run_identity(BASE, 2) != here
    monkeypatch.setattr(focus_detr, "__file__", str(package / "__init__.py"))
    assert run_identity(BASE, 1) == here  # the place does not count
    with (package / "losses" / "criterion.py").open("a") as file:
        file.write("\n")
    changed = run_identity(BASE, 1)
    assert changed != here
    monkeypatch.setenv("FOCUS_DETR_MSDA", "composition")
    assert run_identity(BASE, 1) != changed


def _net(width: int = 3) -> nn.Cell:
    return nn.SequentialCell(nn.Dense(2, width), nn.Conv2d(1, 1, 3), nn.ReLU())


def test_a_graph_s_name_follows_cell_and_shapes() -> None:
    inputs = (Tensor(np.zeros((4, 2), np.float32)),)
    net, same = _net(), _net()
    assert repr(net) != repr(same)  # initialisers have addresses
    name = graph_name(net, inputs)
    assert name.startswith("SequentialCell-")
    assert graph_name(same, inputs) == name  # also for other weights
    frozen, training = _net(), _net().set_train()
    next(frozen.get_parameters()).requires_grad = False
    others = {
        graph_name(_net(5), inputs),
        graph_name(nn.SequentialCell(nn.Dense(2, 3), nn.Conv2d(1, 1, 3), nn.GELU()), inputs),
        graph_name(frozen, inputs),
        graph_name(training, inputs),
        graph_name(_net(), (Tensor(np.zeros((5, 2), np.float32)),)),
        graph_name(_net(), (Tensor(np.zeros((4, 2), np.float16)),)),
        graph_name(_net(), inputs * 2),
    }
    assert len(others) == 7
    assert name not in others


def _frozen_conv(*, folded: bool = False, lowers: bool = False) -> nn.Cell:
    conv = FrozenConv(2, 3, 1)
    if folded:
        conv.fold()
    conv.convolve.lowers = lowers
    return nn.SequentialCell(conv, nn.ReLU())


def test_a_graph_s_name_follows_mode_and_attributes_of_all_parts() -> None:
    inputs = (Tensor(np.zeros((1, 2, 4, 4), np.float32)),)
    name = graph_name(_frozen_conv(), inputs)
    assert graph_name(_frozen_conv(), inputs) == name
    inside = _frozen_conv()
    inside[0].set_train()  # of a part, below a whole that does not train
    assert not inside.training
    others = {
        graph_name(inside, inputs),
        graph_name(_frozen_conv().set_train(), inputs),
        graph_name(_frozen_conv(folded=True), inputs),
        graph_name(_frozen_conv(lowers=True), inputs),
    }
    assert len(others) == 4
    assert name not in others


def test_a_graph_s_name_survives_compilations() -> None:
    inputs = (as_map(np.zeros((1, 2, 4, 4), np.float32)),)
    cell = _frozen_conv()
    name = graph_name(cell, inputs)
    cell(*inputs)
    cell(as_map(np.ones((1, 2, 3, 3), np.float32)))
    assert graph_name(cell, inputs) == name
