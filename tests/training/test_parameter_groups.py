"""Learning-rate factor and weight decay per tensor against the released configuration."""

from __future__ import annotations

import pytest
from golden_data import manifest
from tiny_training import TinyModel

from focus_detr.config.schema import OptimizerConfig, ParameterGroup
from focus_detr.errors import FocusDetrError
from focus_detr.training.parameter_groups import (
    lr_factor,
    own_learning_rates,
    trained_parameters,
    weight_decay,
)
from focus_detr.weights.naming import to_ours


@pytest.mark.parametrize("model", ["r50", "r101", "swin_tiny", "swin_base_384", "swin_large_384"])
def test_every_tensor_of_the_reference_gets_its_settings(model: str) -> None:
    entries = manifest(model)["state_dict"]
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


def test_groups_set_what_they_name_and_the_first_one_counts() -> None:
    groups = (
        ParameterGroup(r"kernel$", weight_decay=0.5),
        ParameterGroup(r"^backbone\.", lr_factor=0.2, weight_decay=0.7),
        ParameterGroup("embed", lr_factor=0.0),
    )
    trained = trained_parameters(TinyModel(), OptimizerConfig(groups=groups))
    assert [(t.name, t.lr_factor, t.weight_decay) for t in trained] == [
        ("label_embed", 0.0, 1e-4),
        ("backbone.kernel", 0.2, 0.5),
        ("norm.gamma", 1.0, 0.0),
        ("class_heads.weight", 1.0, 1e-4),
    ]


def test_the_rates_that_differ_are_named() -> None:
    groups = (
        ParameterGroup("norm", weight_decay=0.5),
        ParameterGroup("offsets", lr_factor=0.5),
        ParameterGroup("offsets", lr_factor=0.75),
    )
    config = OptimizerConfig(backbone_lr_factor=0.25, groups=groups)
    assert own_learning_rates(2.0, config) == {"backbone": 0.5, "offsets": 1.0}


def test_what_a_pattern_freezes_is_left_out() -> None:
    trained = trained_parameters(TinyModel(), OptimizerConfig(freeze=("backbone", "embed$")))
    assert [t.name for t in trained] == ["norm.gamma", "class_heads.weight"]
    with pytest.raises(FocusDetrError, match="leaves no parameter"):
        trained_parameters(TinyModel(), OptimizerConfig(freeze=(".",)))


@pytest.mark.parametrize(
    ("key", "config"),
    [
        ("groups", OptimizerConfig(groups=(ParameterGroup("sampling", 0.1),))),
        ("freeze", OptimizerConfig(freeze=("norm", "sampling"))),
    ],
)
def test_a_pattern_that_finds_nothing_is_refused(key: str, config: OptimizerConfig) -> None:
    with pytest.raises(FocusDetrError, match=rf"train\.optimizer\.{key}.*'sampling'.*backbone"):
        trained_parameters(TinyModel(), config)
