"""What one process tells another arrives whole and in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from focus_detr.comparing.proof import Computed, Selection, prove
from focus_detr.device_check.told import computed_of, list_names, selections_of, told

NAMES = ["foreground scores", "class scores of the queries", "a third list"]
RNG = np.random.default_rng(0)
LISTS = [Selection(np.sort(RNG.normal(size=n))[::-1], np.arange(n // 2)) for n in (7, 4, 9)]
COMPUTED = Computed(
    LISTS,
    np.float32([0.9, 0.4]),
    np.int32([1, 0]),
    RNG.uniform(size=(2, 4)),
    [np.arange(3), np.int32([2])],
)


def test_what_is_told_is_what_was_computed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", **told(NAMES, COMPUTED))
    with np.load(tmp_path / "a.npz") as arrays:
        numbers = dict(arrays)
    assert list_names(numbers) == NAMES
    proof = prove(NAMES, COMPUTED, computed_of(numbers), 0.0)
    assert (proof.difference, proof.fault, proof.places) == (0.0, "", 9)
    for ours, theirs in zip(COMPUTED.tokens, computed_of(numbers).tokens, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for one, other in zip(LISTS, selections_of(numbers), strict=True):
        np.testing.assert_array_equal(one.scores, other.scores)
        np.testing.assert_array_equal(one.places, other.places)
