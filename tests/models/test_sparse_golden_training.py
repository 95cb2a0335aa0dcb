"""One training step of Sparse DETR against the reference: losses, matches, targets, gradients."""

from __future__ import annotations

import json

import numpy as np
import pytest
from golden_data import check, check_set, load
from golden_draws import golden_targets
from golden_steps import check_slices
from mindspore import Tensor, ops
from model_cases import golden_images, normalised_batch
from sparse_golden import (
    LAYERS,
    in_reference_order,
    our_names,
    sparse_golden_config,
    sparse_golden_model,
)
from train_trace import TrainTrace

from focus_detr.losses.factory import build_criterion
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.detr import Outputs
from focus_detr.models.targets import Targets

pytestmark = pytest.mark.large

SLICES = 37  # gradients that the file holds slices of
HEADS = (*(f"aux{i}" for i in range(5)), "last", "enc", *(f"enc_aux{i}" for i in range(5)))


class SparseTrace(TrainTrace):
    """Ranked and wanted tokens, and predictions of the encoder's layers, besides."""

    def more(self, outputs: Outputs, targets: Targets, height: int, width: int) -> tuple:
        selection, encoded = outputs["selection"], outputs["encoded"]
        wanted = self.loss.criterion.mask_prediction_loss.targets(
            outputs["decoded"]["attention_map"],
            outputs["grid"]["valid"],
            selection["written"][:, 0],
        )
        return selection["ranked"], wanted, encoded["logits"], encoded["boxes"]


def _check_matches(golden: dict, matches: np.ndarray, ranked: np.ndarray) -> None:
    """Queries of the encoder's layers are places in a list of near ties: compared as tokens."""
    for head, name in enumerate(HEADS):
        for image in range(2):
            found = matches[head, image, golden[f"match/{name}/tgt{image}"]]
            expected = golden[f"match/{name}/src{image}"]
            if name.startswith("enc_aux"):
                found = ranked[image][found]
                expected = golden["foreground_inds0"][image][expected]
            np.testing.assert_array_equal(found, expected, err_msg=name)


def _check_losses(golden: dict, names: tuple[str, ...], parts: np.ndarray) -> None:
    stored = json.loads(str(golden["loss_names"]))
    single = dict(zip(stored, golden["loss_weighted"].tolist(), strict=True))
    exact = dict(zip(stored, golden["loss_weighted_f64"].tolist(), strict=True))
    found = {name.replace("loss_class", "loss_ce"): value for name, value in zip(names, parts)}  # noqa: B905
    assert found.keys() == exact.keys()
    for name, value in found.items():
        tolerance = max(30 * abs(single[name] - exact[name]), 2e-6 * abs(exact[name]))
        assert abs(value - exact[name]) <= tolerance, name


def _check_gradients(golden: dict, gradients: dict[str, np.ndarray]) -> None:
    names = json.loads(str(golden["grad_names"]))
    assert set(names) == set(gradients)
    for name, norm, error in zip(
        names, golden["grad_norm_f64"], golden["grad_relerr_vs_f64"], strict=True
    ):
        found = float(np.linalg.norm(gradients[name].astype(np.float64)))
        assert abs(found - norm) <= max(30 * float(error), 1.5e-4) * norm, name
    check_slices(golden, gradients, SLICES)


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_losses_matches_targets_and_gradients(msda: str) -> None:
    golden = load("sparse_train_r50_q30")
    model = sparse_golden_model(golden["meta"])
    criterion = build_criterion(sparse_golden_config(golden["meta"]))
    loss = TrainingLoss(model, criterion, None).set_train(True)
    targets = golden_targets(golden, 8)
    images, sizes = normalised_batch(golden_images(golden["meta"]))
    weights = model.trainable_params()
    step = ops.value_and_grad(SparseTrace(loss), None, weights, has_aux=True)
    padded = (Tensor(targets.boxes), Tensor(targets.labels), Tensor(targets.box_valid))
    outputs, gradients = step(images, sizes, *padded)
    told = (*outputs[:3], *outputs[-4:])  # without predictions of the decoder
    total, parts, matches, ranked, positive, logits, boxes = (o.asnumpy() for o in told)
    check_set(golden, "foreground_inds0", ranked)
    for image, count in enumerate(golden["sparse_token_nums"]):
        expected = set(golden["target_inds"][image, :count].tolist())
        assert set(np.flatnonzero(positive[image]).tolist()) == expected
    for layer in range(LAYERS - 1):
        for key, rows in (("logits", logits[layer]), ("boxes", boxes[layer])):
            ordered = in_reference_order(golden["foreground_inds0"], ranked, rows)
            check(golden, f"enc_aux{layer}_{key}", ordered)
    _check_matches(golden, matches, ranked)
    _check_losses(golden, loss.loss_names, parts)
    assert float(total) == pytest.approx(golden["loss_total"][1], rel=1e-5)
    names = {ours: name for name, ours in our_names().items()}
    by_name = {names[w.name]: g.asnumpy() for w, g in zip(weights, gradients, strict=True)}
    _check_gradients(golden, by_name)
