"""Token geometry, proposals and counts against the reference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from golden_data import check, load
from mindspore import Parameter, Tensor, nn
from model_cases import pynative

from focus_detr.models.geometry import (
    Shapes,
    _away_from_border,
    flatten_validity,
    level_shapes,
    level_validity,
    token_proposals,
    token_reference_points,
    valid_ratios,
)
from focus_detr.models.grid import GridBuilder
from focus_detr.models.grid_constants import OUTSIDE
from focus_detr.models.positions import SinePositionEmbedding
from focus_detr.models.selection.token_ranking import TokenRanking, kept_count, layer_counts

CASCADE = (1.0, 0.8, 0.6, 0.6, 0.4, 0.2)


GRID = ("extents", "valid", "ratios", "references", "proposals", "usable", "position")


MOST = 3  # images of a batch


class Geometry(nn.Cell):
    """The grid of a padded batch, as a tuple in the order of ``GRID``."""

    def __init__(self, height: int, width: int, padding: str) -> None:
        super().__init__()
        self.size, self.padding = (height, width), padding
        embed = np.random.default_rng(0).normal(size=(4, 16)).astype(np.float32)
        self.builder = GridBuilder(SinePositionEmbedding(16), Parameter(Tensor(embed)))

    def construct(self, sizes: Tensor) -> tuple[Tensor, ...]:
        grid = self.builder(sizes, level_shapes(*self.size), self.size, self.padding)
        values = ()
        for key in GRID:
            values += (grid[key],)
        return values


_geometry = cache(Geometry)


def _grid(height: int, width: int, padding: str, sizes: Sequence[Sequence[int]]) -> dict:
    """By ``GRID``, of images of these sizes: three at most, so that each batch is compiled once."""
    filled = [*sizes, *[sizes[-1]] * (MOST - len(sizes))]
    values = _geometry(height, width, padding)(Tensor(np.array(filled, np.int32)))
    return {key: value.asnumpy()[: len(sizes)] for key, value in zip(GRID, values, strict=True)}


@pytest.mark.parametrize("case", [0, 1])
def test_geometry_of_a_padded_batch(case: int) -> None:
    golden = load("proposals")
    meta = golden["meta"]["cases"][case]
    grid = _grid(meta["H"], meta["W"], "partial", meta["valid"])
    np.testing.assert_array_equal(grid["valid"] == 0, golden[f"c{case}/mask_flatten"])
    check(golden, f"c{case}/valid_ratios", grid["ratios"])
    check(golden, f"c{case}/reference_points", grid["references"])
    expected = golden[f"c{case}/proposals_unact"]
    np.testing.assert_array_equal(grid["usable"] > 0, np.isfinite(expected).all(-1))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(grid["proposals"][finite], expected[finite], atol=2e-5)
    assert (grid["proposals"][~finite] == OUTSIDE).all()
    shapes = level_shapes(meta["H"], meta["W"])
    np.testing.assert_array_equal(shapes, golden[f"c{case}/spatial_shapes"])


@pytest.mark.parametrize("padding", ["partial", "full"])
@pytest.mark.parametrize("size", [(128, 160), (97, 301), (33, 40)])
def test_all_levels_at_once_equal_level_by_level(padding: str, size: tuple[int, int]) -> None:
    height, width = size
    sizes = ((height, width), (height // 2, width - 7), (1, 9))
    grid = _grid(height, width, padding, sizes)
    with pynative():
        validity = level_validity(Tensor(np.array(sizes, np.int32)), size, 4, padding)
        boxes, usable = token_proposals(validity)
        plain = {
            "valid": flatten_validity(validity),
            "ratios": valid_ratios(validity),
            "references": token_reference_points(validity),
            "usable": usable,
        }
    for key, expected in plain.items():
        np.testing.assert_allclose(grid[key], expected.asnumpy(), rtol=1e-6, err_msg=key)
    chosen = grid["usable"] > 0
    shares = 1 / (1 + np.exp(-grid["proposals"][chosen].astype(np.float64)))
    np.testing.assert_allclose(shares, boxes.asnumpy()[chosen], rtol=1e-5)


@pytest.mark.parametrize("size", [(128, 160), (97, 301), (416, 424)])
def test_the_constant_grid_is_that_of_images_that_fill_the_batch(size: tuple[int, int]) -> None:
    constant, found = (_grid(*size, padding, (size, size)) for padding in ("none", "full"))
    for key, values in constant.items():
        np.testing.assert_allclose(values, found[key], rtol=1e-5, atol=2e-5, err_msg=key)


@pytest.mark.parametrize("case", [0, 1])
def test_token_counts_follow_the_largest_image(case: int) -> None:
    golden = load("proposals")
    valid = 1.0 - golden[f"c{case}/mask_flatten"].astype(np.float32)
    ranking = TokenRanking(keep_ratio=0.5, cascade=CASCADE)
    scores = Tensor(np.random.default_rng(0).normal(size=valid.shape).astype(np.float32))
    _, limits, written = (x.asnumpy() for x in ranking(scores, Tensor(valid), False))
    np.testing.assert_array_equal(limits[0], golden[f"c{case}/layer_k"])
    np.testing.assert_array_equal(limits[1], golden[f"c{case}/layer_k"])
    counts = golden[f"c{case}/focus_token_nums"]
    np.testing.assert_array_equal(written, np.minimum(limits, counts[:, None]))


def test_cascade_counts_for_every_number_of_kept_tokens() -> None:
    golden = load("proposals")
    for kept, expected in zip(
        golden["cascade/foreground_topk"], golden["cascade/layer_k"], strict=True
    ):
        assert layer_counts(int(kept), CASCADE) == tuple(np.maximum(expected, 1))


def test_kept_count_stays_within_the_tokens() -> None:
    assert kept_count(22, 1.0) == 22
    assert kept_count(1, 0.5) == 1
    assert kept_count(3871, 0.5) == 1936


def test_centres_on_the_border_are_outside_however_a_program_divides() -> None:
    lengths = np.arange(1, 301)
    valid = (np.arange(300)[None] < lengths[:, None]).astype(np.float32)
    with pynative():
        rows = _away_from_border(Tensor(valid)).asnumpy()
    centres = (np.arange(300, dtype=np.float32) + np.float32(0.5)) / np.float32(lengths)[:, None]
    published = (centres > np.float32(0.01)) & (centres < np.float32(0.99))
    np.testing.assert_array_equal(rows > 0, published)
    # of 50, both ends lie on the limits; 49.5 times a rounded 1/50 would be inside
    assert np.float32(49.5) * (np.float32(1) / np.float32(50)) < np.float32(0.99)
    assert rows[49, [0, 1, 48, 49]].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (3, ((13, 9), (7, 5), (4, 3))),
        (4, ((13, 9), (7, 5), (4, 3), (2, 2))),
        (5, ((25, 17), (13, 9), (7, 5), (4, 3), (2, 2))),
    ],
)
def test_a_fifth_level_is_finer_than_the_others(levels: int, expected: Shapes) -> None:
    assert level_shapes(100, 66, levels) == expected
