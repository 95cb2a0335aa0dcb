"""Weights and arithmetic of every settings file of the family, put together of published parts."""

from __future__ import annotations

from functools import cache

import pytest
from family_cases import FOLDER
from model_cases import shapes_only

from focus_detr.config.loading import load_config
from focus_detr.config.schema import ModelConfig
from focus_detr.models.factory import build_model
from focus_detr.models.flops import count_multiply_adds
from focus_detr.models.parameter_counts import count_parameters

SIZE, TOKENS = (800, 1066), 17821
# million weights and billion multiply-adds with all tokens in the encoder, and the number of
# classes, of the public implementations
BASES = {
    "deformable_detr_two_stage": (41.162, 170.4, 80),
    "deformable_detr_refine": (40.833, 166.4, 80),
    "deformable_detr_": (40.067, 166.2, 80),
    "dn_deformable_detr": (47.409, 224.0, 80),
    "dino": (47.650, 237.0, 80),
    "align_detr": (47.650, 237.0, 80),  # DINO with another loss
    "dense": (47.650, 237.0, 80),
    "efficient_detr": (41.050, 170.4, 91),
    "sparse_detr": (41.050, 170.4, 91),
}
ON_REFINEMENT = ("deformable_detr_sparse", "deformable_detr_focus")
SHARES = {"sparse": (0.3,) * 6, "focus": tuple(0.5 * c for c in (1, 0.8, 0.6, 0.6, 0.4, 0.2))}
SCORE_MLP, PROJECTION = (0.1075, 1.90), (0.0663, 1.17)  # million weights, billion multiply-adds
DUAL_ATTENTION = 6 * (4 * 256**2 + 4 * 256 + 2 * 256) / 1e6
HEADS_OF_A_LAYER = (256 * 256 + 256) * 2 + 256 * 4 + 4  # boxes; and a row for each class
UNKNOWN = ("5scale", "dac_detr")  # no figures of their arithmetic are known
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def _base(name: str) -> tuple[float, float, int]:
    if name.startswith(ON_REFINEMENT):
        return BASES["deformable_detr_refine"]
    return next(found for base, found in BASES.items() if name.startswith(base))


def _selection(name: str) -> str | None:
    return next((kind for kind in SHARES if f"{kind}_" in name), None)


def _expected_weights(name: str, model: ModelConfig) -> float:
    weights, _, classes = _base(name)
    if _selection(name) is None:
        return weights
    proposes = model.queries.source in ("mixed", "two_stage", "efficient")
    weights += SCORE_MLP[0] + (0.0 if proposes else PROJECTION[0])
    if model.encoder.auxiliary_heads:
        predicting = 5 if proposes else 6  # proposals read the last layer
        weights += predicting * (HEADS_OF_A_LAYER + 257 * classes) / 1e6
    return weights + (DUAL_ATTENTION if "dual" in name or "focus" in name else 0.0)


def _expected_arithmetic(name: str, model: ModelConfig) -> float:
    """Values of all tokens; queries, with their sampling, of those that a layer keeps."""
    _, total, classes = _base(name)
    kind = _selection(name)
    if kind is None:
        return total
    every = {1024: 73.58, 2048: 129.64}[model.encoder.ffn_width] + 2.2  # of six layers' queries
    kept = sum(SHARES[kind])
    total += SCORE_MLP[1] + PROJECTION[1] - every * (1 - kept / 6)
    if "dual" in name or kind == "focus":
        objects = 6 * (4 * 300 * 256**2 + 2 * 300**2 * 256)
        total += (objects + kept * TOKENS * 256 * classes) / 1e9
    return total


@cache
def _weights(model: ModelConfig, classes: int) -> float:
    with shapes_only():
        return count_parameters(build_model(model, classes)).total / 1e6


@pytest.mark.parametrize("name", [name for name in NAMES if not any(u in name for u in UNKNOWN)])
def test_weights_and_arithmetic_are_the_references(name: str) -> None:
    model, classes = load_config(FOLDER / f"{name}.yaml").model, _base(name)[2]
    assert _weights(model, classes) == pytest.approx(_expected_weights(name, model), rel=1e-3)
    found = count_multiply_adds(model, classes, *SIZE).total / 1e9
    assert found == pytest.approx(_expected_arithmetic(name, model), rel=1e-2)
