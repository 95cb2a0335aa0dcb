"""Whole Sparse DETR in evaluation against the reference, free-running, in graph mode."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, check_set, load
from golden_detections import check_detections
from mindspore import Tensor, nn
from model_cases import golden_images, normalised_batch
from sparse_golden import sparse_golden_config, sparse_golden_model

from focus_detr.evaluation.correlation import correlation
from focus_detr.models.detector import Detector

pytestmark = pytest.mark.large

QUERIES = ("dec_query", "dec_init_reference", "dec_query_pos")


class Trace(nn.Cell):
    """The tensors of a network that the golden files hold; dictionaries stay inside graphs."""

    def __init__(self, detector: Detector) -> None:
        super().__init__(auto_prefix=False)
        self.detector = detector

    def construct(self, images: Tensor, sizes: Tensor) -> tuple:
        outputs = self.detector.model(images, sizes)
        selection, queries, decoded = outputs["selection"], outputs["queries"], outputs["decoded"]
        selected = (selection["scores"], selection["ranked"], selection["written"])
        source = (queries["content"], queries["references"], queries["position"])
        every = (queries["logits"], queries["boxes"])
        last = (decoded["attention_map"], decoded["states"], decoded["logits"], decoded["boxes"])
        found = self.detector.best(last[2][-1], last[3][-1], queries["real"])
        memory, valid = outputs["encoded"]["memory"], outputs["grid"]["valid"]
        return memory, selected, source, every, last, valid, found


def _check_selection(golden: dict, selected: tuple, attention: Tensor, valid: Tensor) -> None:
    scores, ranked, written = (tensor.asnumpy() for tensor in selected)
    check(golden, "foreground_score_masked", scores)
    check_set(golden, "foreground_inds0", ranked)
    np.testing.assert_array_equal(written[:, 0], golden["sparse_token_nums"])
    kept = np.full(len(ranked), ranked.shape[1])  # the reference counts the batch's list
    found = correlation(attention.asnumpy(), ranked, kept, valid.asnumpy())
    assert found.kept.mean() == pytest.approx(golden["corr"][0], abs=1e-5)


@pytest.mark.parametrize(
    "case",
    [
        "sparse_infer_r50_q30",
        "sparse_infer_r50_b2_q30",
        "sparse_infer_r50_rho0_q30",
        "sparse_infer_r50_twostage_q30",
    ],
)
@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_free_running_from_pixels_to_detections(case: str, msda: str) -> None:
    golden = load(case)
    most = sparse_golden_config(golden["meta"]).model.max_detections
    detector = Detector(sparse_golden_model(golden["meta"]), max_detections=most).set_train(False)
    inputs = normalised_batch(golden_images(golden["meta"]))
    memory, selected, source, every, last, valid, found = Trace(detector)(*inputs)
    check(golden, "enc_memory", memory.asnumpy())
    for key, tensor in zip(QUERIES, source, strict=True):
        check(golden, key, tensor.asnumpy())
    check(golden, "enc_outputs_logits", every[0].asnumpy())
    check(golden, "enc_outputs_boxes", every[1].asnumpy())
    attention, states, logits, boxes = last
    check(golden, "dam", attention.asnumpy())
    for layer, name in enumerate((*(f"aux{i}" for i in range(5)), "pred")):
        check(golden, f"dec{layer}_out", states[layer].asnumpy())
        check(golden, f"{name}_logits", logits[layer].asnumpy())
        check(golden, f"{name}_boxes", boxes[layer].asnumpy())
    if "foreground_inds0" in golden:
        _check_selection(golden, selected, attention, valid)
    check_detections(golden, [output.asnumpy() for output in found])
