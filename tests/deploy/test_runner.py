"""Exported models get the images that the checkpoint would get, in batches that they take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from exported_files import SIDECAR, fake_file, write_model

from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.errors import FocusDetrError


def picture(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), (10, 28, 38), np.uint8)


@pytest.mark.parametrize("boxes", ["pixels", "unit"])
def test_boxes_are_in_pixels_of_the_picture(boxes: str) -> None:
    file, _ = fake_file(boxes=boxes)
    prediction = ExportedPredictor([file]).predict(picture(100, 120))
    assert prediction.names == ("dog",)
    assert prediction.tokens is None
    np.testing.assert_allclose(prediction.detections.boxes, [[0, 0, 60, 50]])


def test_the_graph_gets_padded_pixels_or_normalised_images() -> None:
    file, engine = fake_file()
    ExportedPredictor([file]).predict(picture(32, 40))
    images, sizes, picture_sizes = engine.calls[0]
    assert images.shape == (1, 64, 96, 3) and images.dtype == np.uint8
    assert sizes.tolist() == [[64, 80]] and sizes.dtype == np.int32
    assert picture_sizes.tolist() == [[32, 40]]
    assert images[0, 63, 79].tolist() == [10, 28, 38] and not images[:, :, 80:].any()

    file, engine = fake_file(images="normalised", boxes="unit")
    ExportedPredictor([file]).predict(picture(32, 40))
    images, sizes = engine.calls[0]
    assert images.shape == (1, 3, 64, 96) and images.dtype == np.float32
    assert images[0, :, 63, 79].tolist() == [0, 2, 1] and not images[..., 80:].any()


@pytest.mark.parametrize(("batch", "runs"), [(2, [2, 2]), (3, [3]), (4, [4]), (None, [3])])
def test_any_number_of_pictures_is_split_or_filled_up_and_comes_back_in_order(
    batch: int | None, runs: list[int]
) -> None:
    file, engine = fake_file(batch=batch)
    sizes = [(64, 96), (32, 48), (64, 64)]
    found = ExportedPredictor([file]).predict_batch([picture(*size) for size in sizes])
    assert [len(call[0]) for call in engine.calls] == runs
    corners = [prediction.detections.boxes[0, 2:].tolist() for prediction in found]
    assert corners == [[48, 32], [24, 16], [32, 32]]


def test_each_picture_goes_to_the_file_of_its_shape() -> None:
    lying, first = fake_file()
    standing, second = fake_file(height=96, width=64)
    sizes = [(96, 64), (64, 96), (90, 60)]
    predictor = ExportedPredictor([lying, standing])
    found = predictor.predict_batch([picture(*size) for size in sizes])
    assert len(first.calls) == 1 and len(second.calls) == 2
    corners = [prediction.detections.boxes[0, 2:].tolist() for prediction in found]
    assert corners == [[32, 48], [48, 32], [30, 45]]


def test_kept_tokens_are_told_where_they_were_exported() -> None:
    grids = ((8, 12), (4, 6))
    file, _ = fake_file(batch=None, token_grids=grids)
    predictor = ExportedPredictor([file])
    assert predictor.tells_tokens and not ExportedPredictor([fake_file()[0]]).tells_tokens
    for row, found in enumerate(predictor.predict_batch([picture(64, 96), picture(64, 40)])):
        assert found.tokens is not None and found.tokens.layers == 2
        kept = [found.tokens.kept_cells(0, level) for level in range(2)]
        columns = (12, 5)[row]  # of 8 pixels, without padding
        assert [grid.shape for grid in kept] == [(8, columns), (4, -(-columns // 2))]
        assert all(grid.all() for grid in kept)
        assert found.tokens.kept_cells(1, 0).sum() == row


def test_files_of_different_exports_do_not_mix() -> None:
    file, _ = fake_file()
    other, _ = fake_file(height=96)
    other.sidecar = replace(other.sidecar, checkpoint_sha256="d")
    with pytest.raises(FocusDetrError, match="were not exported together"):
        ExportedPredictor([file, other])
    telling, _ = fake_file(height=96, token_grids=((12, 12),))
    with pytest.raises(FocusDetrError, match="were not exported together"):
        ExportedPredictor([file, telling])


def test_a_folder_stands_for_its_files(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match="has no exported model"):
        ExportedPredictor.from_path(tmp_path)
    write_model(tmp_path / "a.mindir")
    predictor = ExportedPredictor.from_path(tmp_path)
    assert predictor.sidecar.class_names == SIDECAR.class_names


@pytest.mark.parametrize("boxes", ["pixels", "unit"])
@pytest.mark.parametrize(("most", "scores"), [(None, [0.8, 0.25]), (2, [0.8, 0.25]), (1, [0.8])])
def test_the_sidecar_says_what_stays(most: int | None, scores: list[float], boxes: str) -> None:
    file, engine = fake_file(boxes=boxes)
    file.sidecar = replace(file.sidecar, overlap_limit=0.5, max_detections=most)

    def found(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        rows = np.float32([[[0, 0, 0.5, 0.5], [0, 0, 0.5, 0.45], [0.5, 0.5, 1, 1]]])
        return np.float32([[0.8, 0.4, 0.25]]), np.int32([[1, 1, 1]]), rows

    engine.run = found  # type: ignore[method-assign]
    prediction = ExportedPredictor([file]).predict(picture(64, 96))
    np.testing.assert_allclose(prediction.detections.scores, scores)


def test_two_files_for_one_shape_leave_a_choice_to_the_user() -> None:
    with pytest.raises(FocusDetrError, match="are for the same shape: name one"):
        ExportedPredictor([fake_file()[0], fake_file()[0]])
