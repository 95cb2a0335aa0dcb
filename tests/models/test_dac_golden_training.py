"""A training step of DAC-DETR against the authors' code: matches, losses, gradients."""

from __future__ import annotations

import numpy as np
import pytest
from dac_cases import QUERIES, SLOTS, TARGETS, dac_config, dac_model, names_of_ours, our_loss
from golden_data import check, load, packed_mask
from golden_draws import golden_targets, shift_draws
from golden_steps import check_losses, check_matches, check_slices, check_total_norm, names_of, norm
from mindspore import Tensor, ops
from model_cases import golden_images, normalised_batch
from train_trace import TrainTrace

from focus_detr.losses.factory import build_criterion, build_denoising
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.detr import Outputs
from focus_detr.models.targets import Targets

pytestmark = pytest.mark.large

HEADS = (*(f"aux{i}" for i in range(5)), "last")
MOST = 6  # queries of a box
SLICES = 58


class GatheringTrace(TrainTrace):
    """Predictions of the second decoder, and the queries of each of its boxes, besides."""

    def more(self, outputs: Outputs, targets: Targets, height: int, width: int) -> tuple:
        gathered = outputs["decoded"]["gathered"]
        logits, boxes = ops.stack(gathered["logits"]), ops.stack(gathered["boxes"])
        own = ops.stack(outputs["decoded"]["boxes"])
        taken = (logits[:, :, SLOTS:], boxes[:, :, SLOTS:], own[:, :, SLOTS:])
        of_boxes = self.loss.criterion.gathering_losses.matched(*taken, targets)[1]
        return (logits, boxes), of_boxes


def _inputs(golden: dict) -> tuple[Tensor, ...]:
    targets = golden_targets(golden, TARGETS)
    images, sizes = normalised_batch(golden_images(golden["meta"]))
    arrays = (targets.boxes, targets.labels, targets.box_valid, *shift_draws(golden, SLOTS))
    return (images, sizes, *(Tensor(array) for array in arrays))


def _check_many(golden: dict, matches: np.ndarray) -> None:
    """The queries of each box, best first: [layers, B, T*k]."""
    for layer, name in enumerate(HEADS):
        for image in range(len(golden["meta"]["sizes"])):
            of_boxes = matches[layer, image].reshape(TARGETS, MOST)
            box, place = np.nonzero(of_boxes >= 0)
            np.testing.assert_array_equal(box, golden[f"match_many/{name}/tgt{image}"])
            expected = golden[f"match_many/{name}/src{image}"]
            np.testing.assert_array_equal(of_boxes[box, place], expected)


def _check_predictions(golden: dict, suffix: str, predictions: tuple[Tensor, Tensor]) -> None:
    live = int(golden["dn_num"]) * int(golden["dn_single_padding"])
    for layer, name in enumerate((*HEADS[:-1], "pred")):
        for what, values in zip(("logits", "boxes"), predictions, strict=True):
            of_layer = values[layer].asnumpy()
            check(golden, f"{name}_{what}{suffix}", of_layer[:, SLOTS:])
            check(golden, f"dn_{name}_{what}{suffix}", of_layer[:, :live])


def _check_gradients(golden: dict, gradients: dict[str, np.ndarray]) -> None:
    names = names_of(golden, "grad_names")
    assert set(names) == set(gradients)
    for name, exact, error in zip(
        names, golden["grad_norm_f64"], golden["grad_relerr_vs_f64"], strict=True
    ):
        tolerance = max(30 * float(error), 2e-4) * float(exact) + 1e-7
        assert abs(norm(gradients[name]) - exact) <= tolerance, (name, exact, tolerance)
    check_total_norm(golden, gradients, names)
    check_slices(golden, gradients, SLICES)


def _check_values(golden: dict, loss_names: tuple[str, ...], values: tuple) -> None:
    """All that a step tells besides its gradients."""
    total, parts, matches, blocked, own, gathered, many = values
    live = int(golden["dn_num"]) * int(golden["dn_single_padding"])
    keep = np.r_[np.arange(live), np.arange(SLOTS, SLOTS + QUERIES)]
    mask = packed_mask(golden, "dn_attn_mask")
    np.testing.assert_array_equal(blocked.asnumpy()[np.ix_(keep, keep)], mask)
    for suffix, predicted in (("", own), ("_c", gathered)):
        _check_predictions(golden, suffix, predicted)
    check_matches(golden, matches.asnumpy(), (*HEADS, "enc"))
    _check_many(golden, many.asnumpy())
    theirs = names_of(golden, "loss_names")
    assert {our_loss(name) for name in theirs} == set(loss_names)
    named = dict(zip(loss_names, parts.asnumpy(), strict=True))
    ordered = np.array([named[our_loss(name)] for name in theirs])
    check_losses(golden, theirs, ordered, float(total.asnumpy()))


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_matches_losses_and_gradients(msda: str) -> None:
    """One compiled step: the cases have the same weights, shapes of images and padded boxes."""
    config, cases = dac_config(), ("dac_train_r50_q120", "dac_train_r50_empty1_q120")
    meta = load(cases[0])["meta"]
    model = dac_model(meta, config)
    denoising = build_denoising(config, model.label_embed)
    loss = TrainingLoss(model, build_criterion(config), denoising).set_train(True)
    weights, names = model.trainable_params(), names_of_ours(meta)
    step = ops.value_and_grad(GatheringTrace(loss), None, weights, has_aux=True)
    for case in cases:
        print(case)  # pytest shows it when the test fails
        golden = load(case)
        assert [golden["meta"][key] for key in ("seed", "tweak")] == [meta["seed"], meta["tweak"]]
        values, gradients = step(*_inputs(golden))
        _check_values(golden, loss.loss_names, values)
        found = {names[w.name]: g.asnumpy() for w, g in zip(weights, gradients, strict=True)}
        rows = found["label_enc.weight"]
        found["label_enc.weight"] = np.pad(rows, ((0, 1), (0, 0)))  # an unused row
        _check_gradients(golden, found)
