"""Token geometry, proposals and counts against the reference."""

from __future__ import annotations

import numpy as np
import pytest
from golden_data import check, load
from mindspore import Tensor, nn
from model_cases import pynative

from focus_detr.models.geometry import (
    _away_from_border,
    flatten_validity,
    level_shapes,
    level_validity,
    token_proposals,
    token_reference_points,
    valid_ratios,
)
from focus_detr.models.proposals import ProposalSelection
from focus_detr.models.token_ranking import TokenRanking, kept_count, layer_counts

CASCADE = (1.0, 0.8, 0.6, 0.6, 0.4, 0.2)


class Geometry(nn.Cell):
    """All geometry of a padded batch."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.shape = (height, width)
        self.selection = ProposalSelection(4, 8)

    def construct(self, sizes: Tensor) -> tuple[Tensor, ...]:
        validity = level_validity(sizes, self.shape, 4, "partial")
        proposals, usable = token_proposals(validity)
        return (
            flatten_validity(validity),
            valid_ratios(validity),
            token_reference_points(validity),
            usable,
            self.selection.unsigmoid(proposals, usable),
        )


@pytest.mark.parametrize("case", [0, 1])
def test_geometry_of_a_padded_batch(case: int) -> None:
    golden = load("proposals")
    meta = golden["meta"]["cases"][case]
    geometry = Geometry(meta["H"], meta["W"])
    valid, ratios, references, usable, logits = (
        output.asnumpy() for output in geometry(Tensor(np.array(meta["valid"], np.int32)))
    )
    np.testing.assert_array_equal(valid == 0, golden[f"c{case}/mask_flatten"])
    check(golden, f"c{case}/valid_ratios", ratios)
    check(golden, f"c{case}/reference_points", references)
    expected = golden[f"c{case}/proposals_unact"]
    np.testing.assert_array_equal(usable > 0, np.isfinite(expected).all(-1))
    finite = np.isfinite(expected)
    np.testing.assert_allclose(logits[finite], expected[finite], atol=2e-5)
    assert (logits[~finite] == 1e4).all()
    shapes = level_shapes(meta["H"], meta["W"])
    np.testing.assert_array_equal(shapes, golden[f"c{case}/spatial_shapes"])


@pytest.mark.parametrize("case", [0, 1])
def test_token_counts_follow_the_largest_image(case: int) -> None:
    golden = load("proposals")
    valid = 1.0 - golden[f"c{case}/mask_flatten"].astype(np.float32)
    ranking = TokenRanking(keep_ratio=0.5, cascade=CASCADE)
    scores = Tensor(np.random.default_rng(0).normal(size=valid.shape).astype(np.float32))
    _, limits, written = (x.asnumpy() for x in ranking(scores, Tensor(valid), "partial"))
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
