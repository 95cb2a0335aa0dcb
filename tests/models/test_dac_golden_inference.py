"""DAC-DETR against the authors' code: both decoders step by step, and detections."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from dac_cases import QUERIES, SLOTS, TARGETS, dac_config, dac_model
from golden_data import check, check_set, load
from golden_draws import golden_targets, shift_draws
from mindspore import Tensor, nn, ops
from model_cases import golden_images, normalised_batch, pynative

from focus_detr.inference.postprocess import Suppression, to_detections
from focus_detr.losses.factory import build_denoising
from focus_detr.losses.training_loss import as_draws, as_targets
from focus_detr.models.denoising.slots import DenoisingInput
from focus_detr.models.detr import DETR
from focus_detr.models.factory import detector_of
from focus_detr.models.layers import BLOCKED

pytestmark = pytest.mark.large

LAYERS = 6


class Trace(nn.Cell):
    """Runs a network and returns what happens on the way, by the golden files' keys."""

    def __init__(self, model: DETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(
        self, images: Tensor, sizes: Tensor, denoising: DenoisingInput | None
    ) -> dict[str, Tensor]:
        model = self.model
        shapes, grid = model.shapes(images), model.build_grid(images, sizes)
        valid = grid["valid"][..., None]  # the files have zeros at padding
        maps = model.features(images, sizes, grid)
        tokens = model.tokens(maps)
        memory = model.encode(tokens, model.select(tokens, grid, shapes), grid, shapes)["memory"]
        proposed = model.queries.proposals(memory, grid, False)
        queries = model.propose(memory, grid)
        return {
            "feat_flatten": tokens,
            "lvl_pos_embed_flatten": grid["position"] * valid,
            "valid_ratios": grid["ratios"],
            **self.encoder_layers(tokens, grid, shapes),
            "enc_memory": memory * valid,
            "gen_memory_twostage": proposed["projected"],
            "enc_class_fg": proposed["logits"][..., 0],
            "topk_proposals": proposed["chosen"],
            **self.decoder_layers(queries, denoising, memory, grid, shapes),
        }

    def encoder_layers(self, tokens: Tensor, grid: dict, shapes: tuple) -> dict[str, Tensor]:
        """Each encoder layer's result."""
        found, memory, valid = {}, tokens, grid["valid"]
        for index, layer in enumerate(self.model.encoder.layers):
            memory = layer(
                memory, grid["position"], grid["references"], valid, valid > 0.5, memory, valid,
                shapes,
            )  # fmt: skip
            found[f"enc{index}_out"] = memory * valid[..., None]
        return found

    def decoder_layers(
        self,
        queries: dict,
        denoising: DenoisingInput | None,
        memory: Tensor,
        grid: dict,
        shapes: tuple,
    ) -> dict[str, Tensor]:
        """Both decoders, by name of the step."""
        decoder, slots = self.model.decoder, 0
        bias = ops.zeros((memory.shape[0], 1, 1, QUERIES))
        if denoising is not None:
            slots = denoising["content"].shape[1]
            bias = denoising["blocked"].astype(bias.dtype)[None, None] * BLOCKED
            queries = self.model.joined(denoising, queries)
        around = bias, memory, grid, shapes, False
        own = slots + QUERIES
        early = decoder.walk(0, 1, queries, queries["references"], *around)
        both = decoder.forked(early, queries, 0)
        start = ops.concat((early["start"], early["start"]), axis=1)
        later = decoder.walk(1, LAYERS, both, start, *around)
        found = {
            "dec_query": queries["content"],
            "dec_query_pos": queries["position"],
            "dec_init_reference": queries["references"],
        }
        for suffix, cut in (("", slice(own)), ("_c", slice(-own, None))):
            passed = {
                key: [value[:, cut] for value in early[key] + later[key]]
                for key in ("logits", "boxes", "states", "starts")
            }
            found |= self.one_pass(suffix, passed, queries, around)
            found |= by_layer(suffix, passed, slots)
        return found

    def one_pass(self, suffix: str, passed: dict, queries: dict, around: tuple) -> dict:
        """What happens inside the layers of one decoder."""
        bias, memory, grid, shapes, _ = around
        ratios = ops.concat((grid["ratios"], grid["ratios"]), axis=-1)[:, None]  # [B, 1, L, 4]
        query, found = queries["content"], {}
        for index, layer in enumerate(self.model.decoder.layers):
            position = queries["position"]
            if suffix == "" or index == 0:
                query = layer.norm1(layer.self_attention(query, position, bias))
                found |= {f"dec{index}_after_self_attn": query} if suffix == "" else {}
            value = layer.cross_attention.project_value(memory, grid["valid"])
            places = passed["starts"][index][:, :, None] * ratios
            nothing = ops.zeros_like(query)
            crossed = layer.cross_attention(query + position, value, shapes, places, nothing)
            query = passed["states"][index]
            found[f"dec{suffix}{index}_cross"] = crossed
            found[f"dec{suffix}{index}_out"] = query
        return found


def by_layer(suffix: str, passed: dict, slots: int) -> dict[str, Tensor]:
    """Predictions of one decoder: boxes of all queries, and of each kind apart."""
    found = {f"dec{suffix}_inter_references": ops.stack(passed["boxes"])}
    for index in range(LAYERS):
        name = f"aux{index}" if index < LAYERS - 1 else "pred"
        for what in ("logits", "boxes"):
            of_layer = passed[what][index]
            found[f"{name}_{what}{suffix}"] = of_layer[:, slots:]
            if slots:
                found[f"dn_{name}_{what}{suffix}"] = of_layer[:, :slots]
    return found


def _denoising(golden: dict[str, Any], model: DETR) -> DenoisingInput | None:
    if "dn_num" not in golden:
        return None
    config = dac_config()
    targets = golden_targets(golden, TARGETS)
    wanted = as_targets(
        Tensor(targets.image_sizes),
        *map(Tensor, (targets.boxes, targets.labels, targets.box_valid)),
    )
    generator = build_denoising(config, model.label_embed)
    return generator(wanted, as_draws(*map(Tensor, shift_draws(golden, SLOTS))), QUERIES)[0]


def _live(golden: dict[str, Any], key: str, values: np.ndarray) -> np.ndarray:
    """Without the slots that the authors' code does not have."""
    if "dn_num" not in golden:
        return values
    live = int(golden["dn_num"]) * int(golden["dn_single_padding"])
    if key.startswith("dn_"):
        return values[:, :live]
    axis = 2 if key.endswith("inter_references") else 1
    if key.startswith("dec") and values.shape[axis] == SLOTS + QUERIES:
        return np.delete(values, np.arange(live, SLOTS), axis)
    return values


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
@pytest.mark.parametrize(
    "case", ["dac_infer_r50_q120", "dac_train_r50_q120", "dac_train_r50_empty1_q120"]
)
def test_both_decoders_step_by_step(case: str, msda: str) -> None:
    golden = load(case)
    model = dac_model(golden["meta"], dac_config()).set_train(True)
    inputs = normalised_batch(golden_images(golden["meta"]))
    with pynative():
        found = Trace(model)(*inputs, _denoising(golden, model))
    check_set(golden, "topk_proposals", found.pop("topk_proposals").asnumpy())
    assert len(found) > 60
    for key, values in found.items():
        check(golden, key, _live(golden, key, values.asnumpy()))


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_detections_after_suppression(msda: str) -> None:
    golden = load("dac_infer_r50_q120")
    settings = dac_config().model
    detector = detector_of(dac_model(golden["meta"], dac_config()), settings).set_train(False)
    suppression = Suppression(settings.overlap_limit, settings.max_detections)
    inputs = normalised_batch(golden_images(golden["meta"]))
    scores, labels, boxes = (output.asnumpy() for output in detector(*inputs)[:3])
    for image, size in enumerate(golden["meta"]["sizes"]):
        found = to_detections(scores[image], labels[image], boxes[image], size, suppression)
        check(golden, f"final_scores{image}", found.scores)
        np.testing.assert_array_equal(found.labels, golden[f"final_labels{image}"])
        extent = np.array([size[1], size[0]] * 2, np.float32)
        clipped = np.clip(golden[f"final_boxes{image}"], 0, extent)  # as files never have them
        noise = golden[f"final_boxes{image}/noise"]
        check({"boxes": clipped, "boxes/noise": noise}, "boxes", found.boxes)
