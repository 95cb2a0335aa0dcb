"""Deformable DETR, DN-Deformable-DETR and DINO in evaluation against detrex, free-running."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
from family_cases import family_config, family_model
from golden_data import check, check_set, load
from golden_detections import check_detections
from mindspore import Tensor, nn, ops
from model_cases import golden_images, normalised_batch, pynative

from focus_detr.models.detector import Detector
from focus_detr.models.detr import DETR

pytestmark = pytest.mark.large

LAYERS = 6
ORDERED_BY_TOKEN = ("deformable_two_stage",)  # a place in the ranking means nothing there


class Trace(nn.Cell):
    """Runs a network and returns what happens on the way, by the golden files' keys."""

    def __init__(self, model: DETR) -> None:
        super().__init__(auto_prefix=False)
        self.model = model

    def construct(self, images: Tensor, sizes: Tensor) -> dict:
        model = self.model
        shapes, grid = model.shapes(images), model.build_grid(images, sizes)
        maps = model.features(images, sizes, grid)
        tokens = model.tokens(maps)
        selection = model.select(tokens, grid, shapes)
        memory = model.encode(tokens, selection, grid, shapes)["memory"]
        queries = model.propose(memory, grid)
        decoded = model.decode(queries, None, memory, grid, shapes)
        return {
            "feat_flatten": tokens,
            "lvl_pos_embed_flatten": grid["position"],
            "valid_ratios": grid["ratios"],
            "enc_reference_points": grid["references"],
            **self.layers(tokens, grid, shapes),
            "enc_memory": memory,
            "dec_query": queries["content"],
            "dec_init_reference": queries["references"],
            "dec_hs": ops.stack(decoded["states"]),
            "pred_logits": decoded["logits"][-1],
            "pred_boxes": decoded["boxes"][-1],
            **self.proposed(memory, grid, queries),
        }

    def layers(self, tokens: Tensor, grid: dict, shapes: tuple) -> dict:
        """Each encoder layer's result."""
        found, memory, valid = {}, tokens, grid["valid"]
        for index, layer in enumerate(self.model.encoder.layers):
            memory = layer(
                memory, grid["position"], grid["references"], valid, valid > 0.5, memory, valid,
                shapes,
            )  # fmt: skip
            found[f"enc{index}_out"] = memory
        return found

    def proposed(self, memory: Tensor, grid: dict, queries: dict) -> dict:
        """What two-stage queries are made of, and positions of queries that have them."""
        found = {"dec_query_pos": queries["position"]} if "position" in queries else {}
        source = self.model.queries
        if hasattr(source, "proposals"):
            proposed = source.proposals(memory, grid, False)
            first = source.proposals.by_first_class
            logits = proposed["logits"]
            key = "enc_class_all_ch0" if first else "enc_class_all_max"
            found[key] = logits[..., 0] if first else logits.max(axis=-1)
            found["gen_memory_twostage"] = proposed["projected"]
            found["topk_proposals"] = proposed["chosen"]
        return found


def _trace(model: DETR, inputs: tuple[Tensor, Tensor]) -> dict[str, np.ndarray]:
    """Operation by operation: the graph that users run is checked by its detections."""
    with pynative():
        return {key: value.asnumpy() for key, value in Trace(model)(*inputs).items()}


def _detect(model: DETR, inputs: tuple[Tensor, Tensor]) -> list[np.ndarray]:
    return [output.asnumpy() for output in Detector(model).set_train(False)(*inputs)]


@pytest.mark.parametrize("msda", ["custom"], indirect=True)
@pytest.mark.parametrize(
    ("base", "compiled"),
    [
        ("dino", True),
        ("deformable_two_stage", True),
        ("dn_deformable", False),  # the graph: weights/test_family_conversion
        ("deformable_refine", True),
        ("deformable_plain", True),
    ],
)
def test_free_running_from_pixels_to_detections(base: str, compiled: bool, msda: str) -> None:
    golden = load(f"infer_{base}_r50_q100")
    meta = golden["meta"]
    model = family_model(base, meta, family_config(base)).set_train(False)
    inputs = normalised_batch(golden_images(meta))
    found = _trace(model, inputs)
    if "topk_proposals" in found:
        check_set(golden, "topk_proposals", found.pop("topk_proposals"))
    for key, values in found.items():
        check(golden, key, values)
    with nullcontext() if compiled else pynative():
        check_detections(golden, _detect(model, inputs))
