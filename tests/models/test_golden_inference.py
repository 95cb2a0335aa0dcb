"""The whole network in evaluation against the reference, every intermediate included."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, check_set, load
from golden_detections import check_detections
from mindspore import Tensor, nn, ops
from model_cases import golden_images, golden_model, normalised_batch

from focus_detr.models.detector import Detector
from focus_detr.models.focus_detr import FocusDETR
from focus_detr.models.geometry import (
    flatten_validity,
    level_shapes,
    token_proposals,
    token_reference_points,
    valid_ratios,
)
from focus_detr.models.heads import predict

pytestmark = pytest.mark.large

NAMED = (
    "feat_flatten",
    "lvl_pos_embed_flatten",
    "valid_ratios",
    "enc_reference_points",
    "gen_memory_fts",
    "foreground_score_masked",
    "enc_memory",
    "gen_memory_twostage",
    "enc_class_all_max",
)


class EncoderTrace(nn.Cell):
    """Runs a network up to its proposals and returns what happens on the way."""

    def __init__(self, model: FocusDETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor, sizes: Tensor) -> tuple:
        model = self.model
        shapes = level_shapes(images.shape[2], images.shape[3])
        validity = model.validity(images, sizes)
        backbone = model.backbone(images, None)
        maps = model.features(images, sizes, validity)
        tokens, position = model.tokens(maps), model.positions(validity)
        valid, references = flatten_validity(validity), token_reference_points(validity)
        _, usable = token_proposals(validity)
        projected = model.memory_projection(tokens + position, usable)
        memory, scores, ranked, written = model.encode(tokens, position, validity, shapes)
        head, layers, current = model.class_heads[-1], (), tokens
        counts = model.ranking.static_counts(tokens.shape[1])
        masked = model.ranking.mask_scores(scores, valid, model.padding())
        _, limits, _ = model.ranking(masked, valid, model.padding())
        for index, layer in enumerate(model.encoder.layers):
            chosen = ranked[:, : counts[index]]
            refined = model.encoder.refine(
                layer, head, current, tokens, position, masked, valid, shapes, references,
                chosen, limits[:, index],
            )  # fmt: skip
            layers += (refined,)
            current = self.write(current, chosen, refined)
        _, _, _, proposals, _ = model.propose(memory, validity)
        twostage = model.memory_projection(memory, usable)
        class_max = model.class_heads[-1](twostage).max(axis=-1)
        ratios = valid_ratios(validity)
        named = (tokens, position, ratios, references, projected, masked, memory, twostage)
        return (*named, class_max), backbone, maps, scores, ranked, written, layers, proposals

    def write(self, tokens: Tensor, chosen: Tensor, refined: Tensor) -> Tensor:
        index = ops.broadcast_to(chosen[..., None], refined.shape)
        return ops.tensor_scatter_elements(tokens, index, refined, axis=1)


class DecoderTrace(nn.Cell):
    """The network from given proposals on."""

    def __init__(self, model: FocusDETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor, sizes: Tensor, memory: Tensor, chosen: Tensor) -> tuple:
        model = self.model
        shapes = level_shapes(images.shape[2], images.shape[3])
        validity = model.validity(images, sizes)
        proposals, usable = token_proposals(validity)
        projected = model.memory_projection(memory, usable)
        box_logits = model.box_heads[-1](projected)
        box_logits = box_logits + model.proposals.unsigmoid(proposals, usable)
        _, boxes, content = model.proposals(projected, box_logits, chosen)
        valid, ratios = flatten_validity(validity), valid_ratios(validity)
        bias = ops.zeros((1, 1, 1, 1))
        states, starts = model.decoder(
            content, boxes, bias, memory, valid, shapes, ratios, model.box_heads, True
        )
        logits, predicted = predict(states, starts, model.class_heads, model.box_heads)
        return boxes, states, logits[-1], predicted[-1]


def _arrays(outputs: tuple) -> list:
    return [_arrays(o) if isinstance(o, tuple) else o.asnumpy() for o in outputs]


def _in_order(golden: dict, layer: int, ranked: np.ndarray, refined: np.ndarray) -> np.ndarray:
    """Our refined rows in the order of the reference's list (near ties may swap ranks)."""
    expected = golden[f"foreground_inds{layer}"]
    rows = []
    for image, order in enumerate(expected):
        place = {token: row for row, token in enumerate(ranked[image, : len(order)].tolist())}
        rows.append(refined[image, [place[token] for token in order.tolist()]])
    return np.stack(rows)


def _check_encoder(golden: dict, outputs: list) -> None:
    named, backbone, maps, scores, ranked, written, layers, proposals = outputs
    for key, values in zip(NAMED, named, strict=True):
        check(golden, key, values)
    for index in range(3):
        check(golden, f"res{index + 3}", backbone[index])
    for index in range(4):
        check(golden, f"neck{index}", maps[index])
    check(golden, "foreground_score_raw", scores[..., None])
    for index, refined in enumerate(layers):
        kept = golden[f"foreground_inds{index}"].shape[1]
        check_set(golden, f"foreground_inds{index}", ranked[:, :kept])
        check(golden, f"enc{index}_out", _in_order(golden, index, ranked, refined))
        np.testing.assert_array_equal(written[:, index], kept)
    check_set(golden, "topk_proposals", proposals)


@pytest.mark.parametrize(
    ("case", "msda"),
    [
        ("infer_r50_q100", "custom"),
        ("infer_r50_alpha_q100", "custom"),
        ("infer_r50_alpha_q100", "composition"),
        ("infer_r50_24ep_q100", "custom"),
    ],
    indirect=["msda"],
)
def test_free_running_from_pixels_to_detections(case: str, msda: str) -> None:
    golden = load(case)
    meta = golden["meta"]
    model = golden_model(case, meta).set_train(False)
    images, sizes = normalised_batch(golden_images(meta))
    _check_encoder(golden, _arrays(EncoderTrace(model).set_train(False)(images, sizes)))

    outputs = _arrays(model(images, sizes))
    check(golden, "pred_logits", outputs[0][-1])
    check(golden, "pred_boxes", outputs[1][-1])
    check_detections(golden, _arrays(Detector(model).set_train(False)(images, sizes)))


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_900_queries_by_sets_and_with_the_proposals_injected(msda: str) -> None:
    golden = load("infer_r50_b2")
    meta = golden["meta"]
    model = golden_model("infer_r50_b2", meta).set_train(False)
    images, sizes = normalised_batch(golden_images(meta))
    encoded = _arrays(EncoderTrace(model).set_train(False)(images, sizes))
    _check_encoder(golden, encoded)
    chosen = Tensor(golden["topk_proposals"].astype(np.int32))
    decoder = DecoderTrace(model).set_train(False)
    boxes, states, logits, predicted = _arrays(
        decoder(images, sizes, Tensor(encoded[0][6]), chosen)
    )
    check(golden, "topk_coords", boxes)
    check(golden, "dec_hs", states)
    check(golden, "pred_logits", logits)
    check(golden, "pred_boxes", predicted)
