"""A converted torch checkpoint detects what the reference detects."""

from __future__ import annotations

from pathlib import Path

import pytest
from golden_data import case_weights, load
from golden_detections import check_detections
from model_cases import golden_images, normalised_batch

from focus_detr.inference.loading import load_detector
from focus_detr.weights.checkpoint import save_checkpoint
from focus_detr.weights.convert import Choices, checkpoint_from_torch
from focus_detr.weights.model_settings import RECIPES
from focus_detr.weights.torch_writer import write_state_dict

pytestmark = pytest.mark.large


# the case of the later recipe: with another position embedding its detections would differ
@pytest.mark.parametrize("msda", ["custom"], indirect=True)
def test_converted_weights_give_the_golden_detections(tmp_path: Path, msda: str) -> None:
    golden = load("infer_r50_24ep_q100")
    write_state_dict(tmp_path / "published.pth", case_weights(golden))
    choices = Choices(position=RECIPES["r50_24ep"])
    tensors, metadata, excused = checkpoint_from_torch(tmp_path / "published.pth", choices)
    assert not excused
    save_checkpoint(tmp_path / "ours.safetensors", tensors, metadata)

    detector = load_detector(tmp_path / "ours.safetensors").cell.set_train(False)
    outputs = detector(*normalised_batch(golden_images(golden["meta"])))
    check_detections(golden, [output.asnumpy() for output in outputs])
