"""One training step of the whole network against the reference: losses, matches, gradients."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from golden_data import check, load, packed_mask
from golden_draws import golden_targets, slot_draws
from mindspore import Tensor, nn, ops
from model_cases import golden_config, golden_images, golden_model, normalised_batch

from focus_detr.config.schema import Config
from focus_detr.losses.training_loss import TrainingLoss
from focus_detr.models.denoising import DenoisingQueries, attention_mask
from focus_detr.models.factory import build_criterion
from focus_detr.models.proposals import ProposalSelection
from focus_detr.weights.naming import to_torch

pytestmark = pytest.mark.large

TARGETS = 20  # padded boxes per image; any number above the largest count gives the same
HEADS = ("aux0", "aux1", "aux2", "aux3", "aux4", "last", "enc")


class InjectedProposals(ProposalSelection):
    """The reference's own choice of 900 tokens: between correct implementations near ties swap."""

    def __init__(self, selection: ProposalSelection, chosen: np.ndarray) -> None:
        super().__init__(*selection.query_embed.shape)
        self.query_embed.set_data(Tensor(selection.query_embed.asnumpy()))
        self.chosen = Tensor(chosen.astype(np.int32))

    def choose(self, class_logits: Tensor, valid: Tensor, padding: str) -> tuple[Tensor, Tensor]:
        return self.chosen, ops.ones(self.chosen.shape)


class TrainTrace(nn.Cell):
    """The loss first, then what else the golden file tells about the step."""

    def __init__(self, loss: TrainingLoss) -> None:
        super().__init__(auto_prefix=False)
        self.loss = loss

    def construct(self, images: Tensor, sizes: Tensor, *targets: Tensor) -> tuple:
        outputs, layout = self.loss.predictions(images, sizes, *targets)
        boxes, labels, valid = targets[:3]
        height, width = images.shape[2:]
        total, parts, matches = self.loss.criterion(
            outputs[0], outputs[1], outputs[2], outputs[3], outputs[4],
            labels, boxes, valid, sizes, height, width, layout,
        )  # fmt: skip
        tokens = self.loss.criterion.foreground_loss.labels(boxes, valid, sizes, height, width)
        blocked = attention_mask(layout[0], outputs[2].shape[1])
        return total, parts, matches, tokens, blocked, outputs[4], outputs[3]


def _inputs(golden: dict) -> tuple[Tensor, ...]:
    targets = golden_targets(golden, TARGETS)
    images, sizes = normalised_batch(golden_images(golden["meta"]))
    draws = (Tensor(draw) for draw in slot_draws(golden, 200))
    boxes, labels, valid = Tensor(targets.boxes), Tensor(targets.labels), Tensor(targets.box_valid)
    return (images, sizes, boxes, labels, valid, *draws)


def _training_loss(case: str, golden: dict) -> TrainingLoss:
    meta = golden["meta"]
    model = golden_model(case, meta)
    config = replace(Config(), model=golden_config(case, meta))
    if config.model.decoder.queries == 900:
        model.proposals = InjectedProposals(model.proposals, golden["topk_proposals"])
    loss = TrainingLoss(model, build_criterion(config), DenoisingQueries(number=100))
    return loss.set_train(True)


def _check_matches(golden: dict, matches: np.ndarray) -> None:
    for head, name in enumerate(HEADS):
        for image in range(2):
            source = golden[f"match/{name}/src{image}"]
            target = golden[f"match/{name}/tgt{image}"]
            np.testing.assert_array_equal(matches[head, image, target], source)


def _check_losses(golden: dict, names: tuple[str, ...], parts: np.ndarray, total: float) -> None:
    stored = _names(golden, "loss_names")
    expected = dict(zip(stored, golden["loss_weighted"].tolist(), strict=True))
    exact = dict(zip(stored, golden["loss_weighted_f64"].tolist(), strict=True))
    found = dict(zip(names, parts.tolist(), strict=True))
    assert found.keys() == expected.keys()
    for name, value in found.items():
        noise = abs(expected[name] - exact[name])
        tolerance = max(30 * noise, 2e-5 * abs(exact[name]))
        assert abs(value - exact[name]) <= tolerance, (name, value, exact[name])
    assert total == pytest.approx(float(golden["loss_total"][0]), rel=1e-4)


def _names(golden: dict, key: str) -> list[str]:
    return json.loads(str(golden[key]))


def _check_gradients(golden: dict, gradients: dict[str, np.ndarray]) -> int:
    """Norm of every gradient and the stored slices; returns how many slices were compared."""
    names = _names(golden, "grad_names")
    assert set(names) <= set(gradients)
    for name, norm, error in zip(
        names, golden["grad_norm_f64"], golden["grad_relerr_vs_f64"], strict=True
    ):
        found = float(np.sqrt(np.square(gradients[name].astype(np.float64)).sum()))
        tolerance = max(30 * float(error), 1e-3) * float(norm)
        assert abs(found - float(norm)) <= tolerance, (name, found, float(norm))
    compared = 0
    for name, gradient in gradients.items():
        key = f"grad/{name}"
        if f"{key}/sample" in golden:
            sample = gradient.reshape(-1)[:: int(golden[f"{key}/step"])]
            slices = {key: golden[f"{key}/sample"], f"{key}/noise": golden[f"{key}/noise"]}
            check(slices, key, sample)
            compared += 1
        elif key in golden:
            check(golden, key, gradient)
            compared += 1
    return compared


@pytest.mark.parametrize(
    ("case", "msda"),
    [
        ("train_r50_q100", "custom"),
        ("train_r50_empty1_q100", "custom"),
        ("train_r50_b2", "custom"),
        ("train_r50_q100", "composition"),
    ],
    indirect=["msda"],
)
def test_losses_matches_and_gradients(case: str, msda: str) -> None:
    golden = load(case)
    loss = _training_loss(case, golden)
    inputs = _inputs(golden)
    weights = loss.model.trainable_params()
    step = ops.value_and_grad(TrainTrace(loss), None, weights, has_aux=True)
    (total, parts, matches, tokens, blocked, scores, memory_boxes), gradients = step(*inputs)
    np.testing.assert_array_equal(tokens.asnumpy(), golden["fts_targets"][..., 0])
    pad = int(golden["dn_single_padding"]) * int(golden["dn_num"])
    keep = np.r_[np.arange(pad), np.arange(200, blocked.shape[0])]
    expected = packed_mask(golden, "dn_attn_mask")
    np.testing.assert_array_equal(blocked.asnumpy()[np.ix_(keep, keep)], expected)
    check(golden, "foreground_score_raw", scores.asnumpy()[..., None])
    check(golden, "topk_coords", memory_boxes.asnumpy())
    _check_matches(golden, matches.asnumpy())
    _check_losses(golden, loss.loss_names, parts.asnumpy(), float(total.asnumpy()))
    by_torch_name = {
        to_torch(weight.name): gradient.asnumpy()
        for weight, gradient in zip(weights, gradients, strict=True)
    }
    assert _check_gradients(golden, by_torch_name) >= 30
