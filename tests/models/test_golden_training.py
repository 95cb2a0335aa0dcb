"""One training step of the whole network against the reference: losses, matches, gradients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from golden_data import check, load, packed_mask
from golden_draws import branch_draws, golden_targets, slot_draws
from golden_steps import check_losses, check_matches, check_number, check_slices, names_of, norm
from mindspore import Tensor, ops
from model_cases import (
    GivenPlaces,
    golden_config,
    golden_images,
    golden_model,
    normalised_batch,
)
from train_trace import TrainTrace

from focus_detr.config.schema import Config
from focus_detr.losses.factory import build_criterion, build_denoising
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.detr import Outputs
from focus_detr.models.targets import Targets
from focus_detr.weights.naming import to_torch

pytestmark = pytest.mark.large

TARGETS = 20  # padded boxes per image; any number above the largest count gives the same
SLICES = {"r50": 33, "swin_tiny": 47}  # gradients that a golden file holds slices of
HEADS = ("aux0", "aux1", "aux2", "aux3", "aux4", "last", "enc")


class FocusTrace(TrainTrace):
    """Labels and scores of the foreground, and the encoder's predictions, besides."""

    def more(self, outputs: Outputs, targets: Targets, height: int, width: int) -> tuple:
        boxes, valid, sizes = targets["boxes"], targets["valid"], targets["image_sizes"]
        labels = self.loss.criterion.foreground_loss.labels(boxes, valid, sizes, height, width)
        queries = outputs["queries"]
        return labels, queries["logits"], queries["boxes"], outputs["selection"]["scores"]


def _inputs(golden: dict) -> tuple[Tensor, ...]:
    targets = golden_targets(golden, TARGETS)
    images, sizes = normalised_batch(golden_images(golden["meta"]))
    draws = (Tensor(draw) for draw in slot_draws(golden, 200))
    boxes, labels, valid = Tensor(targets.boxes), Tensor(targets.labels), Tensor(targets.box_valid)
    depth = (Tensor(branch_draws(golden)),) if "draw/drop_path" in golden else ()
    return (images, sizes, boxes, labels, valid, *draws, *depth)


def _training_loss(case: str, golden: dict) -> TrainingLoss:
    meta = golden["meta"]
    model = golden_model(case, meta)
    config = replace(Config(), model=golden_config(case, meta))
    if config.model.decoder.queries == 900:
        model.queries.proposals.top = GivenPlaces(golden["topk_proposals"])
    denoising = build_denoising(config, model.label_embed)
    loss = TrainingLoss(model, build_criterion(config), denoising)
    return loss.set_train(True)


def _check_predictions(golden: dict, outputs: tuple[Tensor, ...]) -> None:
    """All heads, denoising queries (the first slots) aside."""
    logits, boxes, encoder_logits, encoder_boxes, scores = (x.asnumpy() for x in outputs)
    queries = encoder_boxes.shape[1]
    for layer, name in enumerate((*(f"aux{i}" for i in range(5)), "pred")):
        check(golden, f"{name}_logits", logits[layer, :, -queries:])
        check(golden, f"{name}_boxes", boxes[layer, :, -queries:])
    check(golden, "enc_out_logits", encoder_logits)
    check(golden, "enc_out_boxes", encoder_boxes)
    check(golden, "topk_coords", encoder_boxes)
    check(golden, "foreground_score_raw", scores[..., None])


def _check_values(golden: dict, loss_names: tuple[str, ...], values: tuple) -> None:
    """All that a step tells besides its gradients."""
    total, parts, matches, blocked, predictions, tokens, *encoded = values
    np.testing.assert_array_equal(tokens.asnumpy(), golden["fts_targets"][..., 0])
    pad = int(golden["dn_single_padding"]) * int(golden["dn_num"])
    keep = np.r_[np.arange(pad), np.arange(200, blocked.shape[0])]
    expected = packed_mask(golden, "dn_attn_mask")
    np.testing.assert_array_equal(blocked.asnumpy()[np.ix_(keep, keep)], expected)
    _check_predictions(golden, (*predictions, *encoded))
    check_matches(golden, matches.asnumpy(), HEADS)
    check_losses(golden, loss_names, parts.asnumpy(), float(total.asnumpy()))


def _check_gradient_norms(golden: dict, gradients: dict[str, np.ndarray]) -> None:
    names = names_of(golden, "grad_names")
    assert set(names) <= set(gradients)
    norms = [norm(gradients[name]) for name in names]
    for name, found, exact, error in zip(
        names, norms, golden["grad_norm_f64"], golden["grad_relerr_vs_f64"], strict=True
    ):
        # some of the reference's errors cancel within a norm, to 2e-8; another order of float32
        # sums leaves up to 4e-5 of the small gradient of bbox_embed.5.layers.0.bias
        tolerance = max(30 * float(error), 1.5e-4) * float(exact)
        assert abs(found - exact) <= tolerance, (name, found, exact, tolerance)
    # the composition's own error is 1.3e-5
    check_number("norm of all", norm(np.array(norms)), *golden["grad_total_norm"], floor=6e-5)


# cases of one compiled step: the same weights, shapes of images and padded boxes
@pytest.mark.parametrize(
    ("cases", "msda"),
    [
        (("train_r50_q100", "train_r50_empty1_q100"), "custom"),
        (("train_r50_b2",), "custom"),
        (("train_r50_q100",), "composition"),
        (("train_swin_tiny_q100",), "custom"),
    ],
    indirect=["msda"],
)
def test_losses_matches_and_gradients(cases: tuple[str, ...], msda: str) -> None:
    loss = _training_loss(cases[0], load(cases[0]))
    weights = loss.model.trainable_params()
    step = ops.value_and_grad(FocusTrace(loss), None, weights, has_aux=True)
    for case in cases:
        print(case)  # pytest shows it when the test fails
        golden = load(case)
        values, gradients = step(*_inputs(golden))
        _check_values(golden, loss.loss_names, values)
        by_torch_name = {
            to_torch(weight.name): gradient.asnumpy()
            for weight, gradient in zip(weights, gradients, strict=True)
        }
        _check_gradient_norms(golden, by_torch_name)
        check_slices(golden, by_torch_name, SLICES[golden["meta"]["config"]])
