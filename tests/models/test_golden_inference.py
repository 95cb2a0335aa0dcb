"""The whole network in evaluation against the reference, every intermediate included."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, check_set, load
from golden_detections import check_detections
from mindspore import Tensor, nn, ops
from model_cases import (
    GivenPlaces,
    channels_first,
    golden_images,
    golden_model,
    normalised_batch,
    pynative,
)

from focus_detr.models.detector import Detector
from focus_detr.models.detr import DETR
from focus_detr.models.encoder.dual_attention import object_scores
from focus_detr.models.encoder.layer import EncoderLayer
from focus_detr.models.encoder.listed import Listed, list_tokens
from focus_detr.models.grid import Grid
from focus_detr.models.selection.selection import Selection
from focus_detr.models.tokens import gather_tokens, places

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

SELECTOR = (
    *(f"fts_level_score{index}" for index in range(4)),
    *(f"fts_level_input{index}" for index in range(4)),
)


class EncoderTrace(nn.Cell):
    """Runs a network up to its proposals and returns what happens on the way."""

    def __init__(self, model: DETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor, sizes: Tensor) -> tuple:
        model = self.model
        shapes, grid = model.shapes(images), model.build_grid(images, sizes)
        backbone = model.backbone(images, None)
        maps = model.features(images, sizes, grid)
        tokens = model.tokens(maps)
        projected = model.selection.features(tokens, grid)
        level_scores, modulated = self.select(projected, grid, shapes)
        selection = model.select(tokens, grid, shapes)
        memory = model.encode(tokens, selection, grid, shapes)["memory"]
        layers = self.layers(tokens, selection, grid, shapes)
        proposed = model.queries.proposals(memory, grid, model.isolated())
        named = (
            tokens, grid["position"], grid["ratios"], grid["references"], projected,
            selection["masked"], memory, proposed["projected"], proposed["logits"].max(axis=-1),
        )  # fmt: skip
        selector = (*level_scores, *modulated, selection["scores"])
        ranking = (selection["ranked"], selection["written"])
        return named, backbone, maps, selector, *ranking, layers, proposed["chosen"]

    def select(self, projected: Tensor, grid: Grid, shapes: tuple) -> tuple:
        """Scores and modulated features of each level, coarse to fine."""
        selector, start, modulated = self.model.selection.selector, 0, ()
        scores, factors = selector.modulated(projected, grid, shapes, self.model.isolated())
        for (rows, columns), factor in zip(shapes, factors, strict=True):
            features = projected[:, start : start + rows * columns]
            start += rows * columns
            modulated += (features if factor is None else features * factor,)
        return scores[::-1], modulated[::-1]

    def layers(self, tokens: Tensor, selection: Selection, grid: Grid, shapes: tuple) -> tuple:
        """Each layer's result and the parts of its dual attention."""
        encoder, layers, objects, memory = self.model.encoder, (), (), tokens
        counts = self.model.selection.counts(tokens.shape[1])
        listed = list_tokens(selection, grid)
        for index, layer in enumerate(encoder.layers):
            limit = selection["limits"][:, index : index + 1]
            objects += (self.attend(layer, memory, listed, counts[index], limit),)
            refined = encoder.refine(
                layer, memory, tokens, listed, counts[index], limit, grid["valid"], shapes
            )
            layers += (refined,)
            memory = self.write(memory, listed["chosen"][:, : counts[index]], refined)
        return layers, objects

    def attend(
        self, layer: EncoderLayer, memory: Tensor, listed: Listed, count: int, limit: Tensor
    ) -> tuple[Tensor, ...]:
        """MCSP and the attention among object tokens of one layer."""
        query = gather_tokens(memory, listed["chosen"][:, :count])  # [B, K, C]
        dual, foreground = layer.dual_attention, listed["scores"][:, :count]
        logits = dual.category_head(query)
        objects, is_object = dual.select(logits, foreground, places(count) < limit)  # [B, O]
        looks_from = gather_tokens(listed["position"][:, :count], objects)  # [B, O, C]
        attended = dual.attend(gather_tokens(query, objects), looks_from, is_object)
        return logits, object_scores(logits, foreground, dual.score), objects, attended

    def write(self, tokens: Tensor, chosen: Tensor, refined: Tensor) -> Tensor:
        index = ops.broadcast_to(chosen[..., None], refined.shape)
        return ops.tensor_scatter_elements(tokens, index, refined, axis=1)


class DecoderTrace(nn.Cell):
    """The network from given proposals on."""

    def __init__(self, model: DETR, chosen: np.ndarray) -> None:
        super().__init__(auto_prefix=False)
        self.model = model
        model.queries.proposals.top = GivenPlaces(chosen)

    def construct(self, images: Tensor, sizes: Tensor, memory: Tensor) -> tuple:
        model = self.model
        shapes, grid = model.shapes(images), model.build_grid(images, sizes)
        queries = model.propose(memory, grid)
        decoded = model.decode(queries, None, memory, grid, shapes)
        states, starts = ops.stack(decoded["states"]), ops.stack(decoded["starts"])
        return queries["boxes"], states, starts, decoded["logits"][-1], decoded["boxes"][-1]


def _traced(cell: nn.Cell, *inputs: Tensor) -> list:
    """What a trace returns, operation by operation: compiling it would take several times as long.

    The graph that users run is checked by its detections, here or where a comment says.
    """
    with pynative():
        return _arrays(cell.set_train(False)(*inputs))


def _arrays(outputs: tuple) -> list:
    return [_arrays(o) if isinstance(o, tuple) else o.asnumpy() for o in outputs]


def _in_order(expected: np.ndarray, tokens: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Our rows, one for each of our tokens, as the reference lists them (near ties may swap)."""
    ordered = []
    for order, ours, values in zip(expected, tokens, rows, strict=True):
        place = {token: row for row, token in enumerate(ours[: len(order)].tolist())}
        ordered.append(values[[place[token] for token in order.tolist()]])
    return np.stack(ordered)


def _check_layers(golden: dict, ranked: np.ndarray, written: np.ndarray, layers: list) -> None:
    for index, (refined, parts) in enumerate(zip(*layers, strict=True)):
        order = golden[f"foreground_inds{index}"]
        check_set(golden, f"foreground_inds{index}", ranked[:, : order.shape[1]])
        np.testing.assert_array_equal(written[:, index], order.shape[1])
        logits, scores, objects, attended = parts
        check(golden, f"mcsp{index}_logits", _in_order(order, ranked, logits))
        check(golden, f"enc{index}_mc_score", _in_order(order, ranked, scores))
        tokens = np.take_along_axis(ranked, objects, axis=1)
        key = f"enc{index}_topk_sa_global"
        check_set(golden, key, tokens)
        check(golden, f"enc{index}_sa_out", _in_order(golden[key], tokens, attended))
        check(golden, f"enc{index}_out", _in_order(order, ranked, refined))


def _check_encoder(golden: dict, outputs: list) -> None:
    named, backbone, maps, selector, ranked, written, layers, proposals = outputs
    for key, values in zip(NAMED, named, strict=True):
        check(golden, key, values)
    first = "p1" if "p1" in golden or "p1/shape" in golden else "res3"
    for index in range(3):
        check(golden, f"{first[:-1]}{int(first[-1]) + index}", channels_first(backbone[index]))
    for index in range(4):
        check(golden, f"neck{index}", channels_first(maps[index]))
    for key, values in zip(SELECTOR, selector[:-1], strict=True):
        check(golden, key, values)
    check(golden, "foreground_score_raw", selector[-1][..., None])
    _check_layers(golden, ranked, written, layers)
    check_set(golden, "topk_proposals", proposals)


def _check_decoder(
    golden: dict,
    model: DETR,
    inputs: tuple[Tensor, Tensor],
    memory: np.ndarray,
    chosen: np.ndarray,
) -> None:
    free = model.queries.proposals.top
    traced = _traced(DecoderTrace(model, chosen), *inputs, Tensor(memory))
    model.queries.proposals.top = free
    boxes, states, starts, logits, predicted = traced
    check(golden, "topk_coords", boxes)
    check(golden, "dec_init_reference", starts[0])
    if "dec_inter_references" in golden:  # of 900 queries there is a sample only
        expected = {"starts": golden["dec_inter_references"][:-1]}
        noise = golden["dec_inter_references/noise"]
        check(expected | {"starts/noise": noise}, "starts", starts[1:])
    check(golden, "dec_hs", states)
    check(golden, "pred_logits", logits)
    check(golden, "pred_boxes", predicted)


@pytest.mark.parametrize(
    ("case", "msda", "compiled"),
    [
        ("infer_r50_q100", "custom", True),
        ("infer_r50_alpha_q100", "custom", False),  # the graph: paper/test_golden_looks
        ("infer_r50_alpha_q100", "composition", True),
        ("infer_r50_24ep_q100", "custom", False),  # the graph: weights/test_golden_conversion
        ("infer_r101_q100", "custom", True),
        ("infer_swin_tiny_q100", "custom", True),
        ("infer_swin_base224_q100", "custom", False),  # windows of the former, size of the next
        ("infer_swin_base384_q100", "custom", True),
    ],
    indirect=["msda"],
)
def test_free_running_from_pixels_to_detections(case: str, msda: str, compiled: bool) -> None:
    golden = load(case)
    meta = golden["meta"]
    model = golden_model(case, meta).set_train(False)
    inputs = normalised_batch(golden_images(meta))
    encoded = _traced(EncoderTrace(model), *inputs)
    _check_encoder(golden, encoded)
    _check_decoder(golden, model, inputs, encoded[0][6], encoded[-1])
    detector = Detector(model).set_train(False)
    found = _arrays(detector(*inputs)) if compiled else _traced(detector, *inputs)
    check_detections(golden, found)


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_900_queries_by_sets_and_with_the_proposals_injected(msda: str) -> None:
    golden = load("infer_r50_b2")
    meta = golden["meta"]
    model = golden_model("infer_r50_b2", meta).set_train(False)
    inputs = normalised_batch(golden_images(meta))
    encoded = _traced(EncoderTrace(model), *inputs)
    _check_encoder(golden, encoded)
    _check_decoder(golden, model, inputs, encoded[0][6], golden["topk_proposals"])
