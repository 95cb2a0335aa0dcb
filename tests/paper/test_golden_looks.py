"""The whole network through the predictor: what figures are drawn from, against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, check_set, load
from model_cases import golden_config, golden_images, golden_model
from paper_cases import golden_seen

from focus_detr.config.schema import DataConfig
from focus_detr.inference.predictor import Predictor
from focus_detr.models.choice_recorder import ChoiceRecorder
from focus_detr.models.detector import Detector
from focus_detr.paper.detectors import WatchedDetector
from focus_detr.paper.objects import count_objects
from focus_detr.paper.photographs import Photograph
from focus_detr.paper.tokens import count_tokens

pytestmark = pytest.mark.large
CASE = "infer_r50_alpha_q100"


def test_tokens_scores_objects_and_detections_are_the_reference_s() -> None:
    golden = load(CASE)
    size = tuple(golden["meta"]["sizes"][0])
    model = golden_model(CASE, golden["meta"]).set_train(False)
    recorder = ChoiceRecorder(model, [size])
    data = DataConfig(test_short_side=size[0], test_max_side=size[1], shape_buckets=(size,))
    names = [str(number) for number in range(80)]
    config = golden_config(CASE, golden["meta"])
    detector = Detector(model).set_train(False)
    watched = WatchedDetector("golden", Predictor(detector, names, config, data, recorder))
    pixels = golden_images(golden["meta"])[0].transpose(1, 2, 0)  # [3, H, W] -> [H, W, 3]
    boxes = np.float32([[20.3, 30.3, 200.3, 250.3], [250.3, 100.3, 400.3, 390.3]])
    seen = watched.look(Photograph("golden", np.ascontiguousarray(pixels), boxes))
    for layer in range(6):
        kept = seen.tokens.ranked[: seen.tokens.counts[layer]]
        check_set(golden, f"foreground_inds{layer}", kept[None])
        check_set(golden, f"enc{layer}_topk_sa_global", seen.looks.objects[layer][None])
    assert seen.looks.scores is not None
    masked = golden["foreground_score_masked"]
    check(golden, "foreground_score_masked", seen.looks.scores.reshape(masked.shape))
    scores = golden["final_scores0"]
    np.testing.assert_allclose(seen.prediction.detections.scores, scores, atol=1e-4)
    expected = golden_seen(golden, boxes)
    assert count_objects(seen).layers == count_objects(expected).layers
    ours, theirs = (count_tokens("golden", each, 0.3).layers for each in (seen, expected))
    assert ours == theirs
