"""A training step of Deformable DETR, DN-Deformable-DETR and DINO against detrex."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import pytest
from family_cases import family_config, family_model
from golden_data import check, load, packed_mask
from golden_draws import dn_slot_draws, golden_targets, shift_draws
from golden_steps import check_losses, check_matches, check_total_norm, norm
from mindspore import Tensor, ops
from model_cases import golden_images, normalised_batch
from train_trace import TrainTrace

from focus_detr.losses.factory import build_criterion, build_denoising
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.weights.naming import TorchLayout, to_torch

pytestmark = pytest.mark.large

TARGETS = 20  # padded boxes per image; any number above the largest count gives the same
ENCODER_LOSS = ("dino", "deformable_two_stage")


def _inputs(base: str, golden: dict) -> tuple[Tensor, ...]:
    targets = golden_targets(golden, TARGETS)
    images, sizes = normalised_batch(golden_images(golden["meta"]))
    arrays = [targets.boxes, targets.labels, targets.box_valid]
    if base == "dino":
        arrays += shift_draws(golden, 200)
    elif base == "dn_deformable":
        arrays += dn_slot_draws(golden, TARGETS)
    return (images, sizes, *(Tensor(array) for array in arrays))


def _check_mask(golden: dict, blocked: np.ndarray) -> None:
    live = int(golden["dn_single_padding"]) * int(golden["dn_num"])
    queries = golden["meta"]["overrides"]["num_queries"]
    keep = np.r_[np.arange(live), np.arange(len(blocked) - queries, len(blocked))]
    expected = packed_mask(golden, "dn_attn_mask")
    np.testing.assert_array_equal(blocked[np.ix_(keep, keep)], expected)


def _check_predictions(golden: dict, logits: np.ndarray, boxes: np.ndarray) -> None:
    queries = golden["meta"]["overrides"]["num_queries"]
    for layer, name in enumerate((*(f"aux{i}" for i in range(5)), "pred")):
        check(golden, f"{name}_logits", logits[layer, :, -queries:])
        check(golden, f"{name}_boxes", boxes[layer, :, -queries:])


def _check_gradients(golden: dict, gradients: Mapping[str, np.ndarray]) -> None:
    """Norms to 1e-3, slices to 5e-3 of the largest number, as two runs of detrex differ."""
    names = json.loads(str(golden["grad_names"]))
    assert set(names) <= set(gradients)
    for name, exact in zip(names, golden["grad_norm_f64"], strict=True):
        assert norm(gradients[name]) == pytest.approx(exact, rel=1e-3, abs=1e-7), name
    compared = 0
    for name, gradient in gradients.items():
        key = f"grad/{name}"
        if f"{key}/sample" in golden:
            expected = golden[f"{key}/sample"]
            found = gradient.reshape(-1)[:: int(golden[f"{key}/step"])]
        elif key in golden:
            expected, found = golden[key], gradient
        else:
            continue
        tolerance = max(30 * float(golden[f"{key}/noise"]), 5e-3 * np.abs(expected).max())
        assert np.abs(found - expected).max() <= tolerance, name
        compared += 1
    assert compared == sum(key.endswith("/noise") and key.startswith("grad/") for key in golden)
    check_total_norm(golden, gradients, names)


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
@pytest.mark.parametrize(
    "base",
    ["dino", "deformable_two_stage", "dn_deformable", "deformable_refine", "deformable_plain"],
)
def test_losses_matches_and_gradients(base: str, msda: str) -> None:
    golden = load(f"train_{base}_r50_q100")
    config = family_config(base)
    model = family_model(base, golden["meta"], config)
    has_denoising = config.denoising.number > 0
    denoising = build_denoising(config, model.label_embed) if has_denoising else None
    loss = TrainingLoss(model, build_criterion(config), denoising).set_train(True)
    weights = model.trainable_params()
    step = ops.value_and_grad(TrainTrace(loss), None, weights, has_aux=True)
    (total, parts, matches, blocked, predictions), gradients = step(*_inputs(base, golden))
    if has_denoising:
        _check_mask(golden, blocked.asnumpy())
    _check_predictions(golden, *(prediction.asnumpy() for prediction in predictions))
    heads = (*(f"aux{i}" for i in range(5)), "last", *(["enc"] if base in ENCODER_LOSS else []))
    check_matches(golden, matches.asnumpy(), heads)
    check_losses(golden, loss.loss_names, parts.asnumpy(), float(total.asnumpy()))
    layout = TorchLayout.of(weight.name for weight in weights)
    by_torch_name = {
        to_torch(weight.name, layout): gradient.asnumpy()
        for weight, gradient in zip(weights, gradients, strict=True)
    }
    _check_gradients(golden, by_torch_name)
