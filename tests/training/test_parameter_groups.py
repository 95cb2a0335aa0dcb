"""Learning-rate factor and weight decay per tensor against the released configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny_training import TinyModel

from focus_detr.config.schema import OptimizerConfig
from focus_detr.training.parameter_groups import lr_factor, trained_parameters, weight_decay
from focus_detr.weights.naming import to_ours

MANIFEST = Path(__file__).parents[1] / "golden" / "manifest_r50.json"


def test_every_tensor_of_the_reference_gets_its_settings() -> None:
    entries = json.loads(MANIFEST.read_text())["state_dict"]
    trained = {name: entry for name, entry in entries.items() if entry.get("lr") is not None}
    assert len(trained) > 300
    config = OptimizerConfig()
    for name, entry in trained.items():
        ours = to_ours(name, encoder_head=6)
        assert config.lr * lr_factor(ours, config) == pytest.approx(entry["lr"]), name
        assert weight_decay(ours, config) == entry["weight_decay"], name


def test_frozen_parameters_are_left_out() -> None:
    model = TinyModel()
    model.label_embed.requires_grad = False
    trained = trained_parameters(model, OptimizerConfig(norm_weight_decay=0.5))
    assert [(t.name, t.lr_factor, t.weight_decay) for t in trained] == [
        ("backbone.kernel", 0.1, 1e-4),
        ("norm.gamma", 1.0, 0.5),
        ("class_heads.weight", 1.0, 1e-4),
    ]
    assert trained[0].parameter is model.backbone.kernel
