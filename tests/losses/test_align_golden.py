"""The whole criterion of Align-DETR against golden numbers: 39 losses and their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mindspore as ms
import numpy as np
import pytest
from align_cases import given_matches, padded_targets
from criterion_cell import ByPlace
from golden_data import check, load
from golden_steps import check_number, names_of
from mindspore import Tensor, nn
from model_cases import pynative

from focus_detr.config.loading import load_config
from focus_detr.losses.criterion import Criterion
from focus_detr.losses.factory import build_criterion, build_set_losses
from focus_detr.losses.matched_losses import MatchedLosses
from focus_detr.models.denoising.slots import lay_out

SETTINGS = (
    "loss.classification=align",
    "loss.align.repeats=[2, 2, 2, 2, 2, 1]",
    "loss.align.encoder_repeats=2",
    "model.foreground_selector.supervised=false",
)
LAYERS = ("aux0", "aux1", "aux2", "aux3", "aux4", "last")
TARGETS, SLOTS = 6, 20  # as many for several cases, so that they share a compiled graph


def _criterion(matcher: str = "host") -> Criterion:
    return build_criterion(load_config(None, [*SETTINGS, f"loss.matcher={matcher}"]))


class _Given(nn.Cell):
    """A matcher that knows the result."""

    def __init__(self, matches: Sequence[np.ndarray]) -> None:
        super().__init__()
        self.matches = Tensor(np.stack(matches))

    def construct(self, *arguments: Tensor) -> Tensor:
        return self.matches


class _Step:
    """Losses and their gradients by the four predictions; the mode is that of its making."""

    def __init__(self, criterion: Criterion) -> None:
        cell = ByPlace(criterion)
        self.loss_names = cell.loss_names
        self.run = ms.value_and_grad(cell, (0, 1, 2, 3), has_aux=True)


@pytest.fixture(scope="module")
def compiled() -> _Step:
    """One graph for the cases of equal shapes."""
    return _Step(_criterion())


def _slots(golden: Mapping[str, Any], layer: str, part: str, count: int) -> np.ndarray:
    """A layer's denoising part, with dead slots up to ``count``."""
    batch, _, width = golden[f"{layer}/{part}"].shape
    whole = np.full((batch, count, width), 0.3, np.float32)
    if f"dn_{layer}/{part}" in golden:
        own = golden[f"dn_{layer}/{part}"]
        whole[:, : own.shape[1]] = own
    return whole


def _tensors(golden: dict[str, Any], padded: int, slots: int) -> tuple[list, list]:
    """The four differentiated tensors and the others, in ``ByPlace``'s order."""
    moved = [
        np.stack(
            [np.concatenate([_slots(golden, k, p, slots), golden[f"{k}/{p}"]], 1) for k in LAYERS]
        )
        for p in ("logits", "boxes")
    ]
    moved += [golden["enc/logits"], golden["enc/boxes"]]
    batch = len(golden["enc/boxes"])
    largest = padded_targets(golden, batch, 0).labels.shape[1]
    targets = padded_targets(golden, batch, padded - largest)
    groups = max(1, int(golden["dn_num"]))
    layout = lay_out(Tensor(largest, ms.int32), Tensor(groups, ms.int32), 2, slots)
    places = ms.mutable(tuple(layout[key] for key in ("group", "target", "positive", "groups")))
    scores, sizes = np.zeros((batch, 128), np.float32), np.array([[64, 96]] * batch, np.int32)
    rest = [Tensor(array) for array in (scores, *targets, sizes)]
    return [Tensor(part) for part in moved], [*rest, 64, 96, places]


def _check_losses(golden: dict[str, Any], names: Sequence[str], parts: np.ndarray) -> None:
    """Each by its name; weights as stored."""
    stored, weights = names_of(golden, "loss_names"), golden["meta"]["weights"]
    single, exact = golden["loss_unweighted"], golden["loss_unweighted_f64"]
    assert sorted(names) == sorted(stored)
    for name, value in zip(names, parts.tolist(), strict=True):
        place, weight = stored.index(name), weights[name]
        check_number(name, value, weight * single[place], weight * exact[place], floor=4e-6)


def _check_gradient(golden: dict[str, Any], key: str, gradient: np.ndarray) -> bool:
    """Whether the file holds it."""
    if f"grad/{key}" not in golden and f"grad/{key}/sample" not in golden:
        return False
    check(golden, f"grad/{key}", gradient, floor=1e-5)
    return True


def _check_step(step: _Step, golden: dict[str, Any], padded: int, slots: int) -> np.ndarray:
    """Compare losses and gradients; returns the matches."""
    moved, rest = _tensors(golden, padded, slots)
    (total, parts, matches), gradients = step.run(*moved, *rest)
    _check_losses(golden, step.loss_names, parts.asnumpy())
    check_number("total", float(total), *golden["loss_total"], floor=4e-6)
    compared = 0
    for place, part in enumerate(("logits", "boxes")):
        whole, encoder = gradients[place].asnumpy(), gradients[2 + place].asnumpy()
        compared += _check_gradient(golden, f"enc/{part}", encoder)
        for layer, key in enumerate(LAYERS):
            compared += _check_gradient(golden, f"{key}/{part}", whole[layer, :, slots:])
            own = golden[f"dn_{key}/{part}"].shape[1] if f"dn_{key}/{part}" in golden else 0
            compared += _check_gradient(golden, f"dn_{key}/{part}", whole[layer, :, :own])
            assert not whole[layer, :, own:slots].any(), "dead slots learn nothing"
    stored = {key.removesuffix("/sample") for key in golden if key.startswith("grad/")}
    assert compared == len([key for key in stored if key.endswith(("logits", "boxes"))]) > 0
    return matches.asnumpy()


@pytest.mark.parametrize("name", ["plain", "empty", "all_empty"])
def test_losses_matches_and_gradients(compiled: _Step, name: str) -> None:
    golden = load(f"align_{name}")
    matches = _check_step(compiled, golden, TARGETS, SLOTS)
    targets = padded_targets(golden, 2)
    for head, key in enumerate((*LAYERS, "enc")):
        expected = given_matches(golden, f"match/{key}/", targets, 2).reshape(2, -1, 2)
        for image, count in enumerate(targets.valid.sum(1).astype(int)):
            ours = matches[head, image].reshape(TARGETS, 2)[:count]
            np.testing.assert_array_equal(np.sort(ours), np.sort(expected[image, :count]))


@pytest.mark.parametrize("name", ["reduced", "none"])
def test_losses_and_gradients_of_given_matches(name: str) -> None:
    """The reference lets one crowded image reduce the matches of the images after it.

    Operation by operation, as each has shapes of its own.
    """
    golden = load(f"align_{name}")
    batch = len(golden["enc/boxes"])
    targets = padded_targets(golden, batch)
    given = [given_matches(golden, f"match/{key}/", targets, 2) for key in (*LAYERS, "enc")]
    criterion, loss = _criterion(), load_config(None, SETTINGS).loss
    for part, matches in (("decoder_losses", given[:-1]), ("encoder_losses", given[-1:])):
        pairs = build_set_losses(loss, "align", per_box=2)
        setattr(criterion, part, MatchedLosses(_Given(matches), pairs))
    slots = golden["dn_last/boxes"].shape[1]
    with pynative():
        _check_step(_Step(criterion), golden, targets.labels.shape[1], slots)


@pytest.mark.parametrize("matcher", ["host", "graph"])
def test_matches_of_images_that_the_crowded_one_does_not_reduce(matcher: str) -> None:
    """4, 20 and 3 boxes on 48 queries: ours are two for each; the reference's second gets one."""
    golden = load("align_reduced")
    targets = padded_targets(golden, 3)
    cell = _criterion(matcher).decoder_losses.matcher
    heads = [np.stack([golden[f"{key}/{part}"] for key in LAYERS]) for part in ("logits", "boxes")]
    matches = cell(*map(Tensor, (*heads, *targets))).asnumpy()
    for head, key in enumerate(LAYERS):
        expected = given_matches(golden, f"match/{key}/", targets, 2).reshape(3, -1, 2)
        ours = matches[head].reshape(3, -1, 2)
        np.testing.assert_array_equal(np.sort(ours[0, :4]), np.sort(expected[0, :4]))
        for image, count in enumerate((4, 20, 3)):
            found = ours[image, :count]
            wanted = 1 if key == "last" else 2
            assert ((found >= 0).sum(1) == wanted).all()
            used = found[found >= 0]
            assert len(set(used.tolist())) == len(used)
        if key == "last":
            np.testing.assert_array_equal(ours[..., 0][1:, :3], expected[..., 0][1:, :3])
