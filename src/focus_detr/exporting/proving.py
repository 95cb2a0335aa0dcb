"""Proving an exported file equal to its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from focus_detr.comparing.guided_detector import GuidedDetector
from focus_detr.comparing.proof import Proof, prove
from focus_detr.deploy.replay import Replayed
from focus_detr.deploy.sidecar import Graph
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.comparison import Comparison, compare_all, compare_tokens
from focus_detr.exporting.file_numbers import computed_by_file
from focus_detr.inference.prediction import Prediction


def prove_file(
    reference: GuidedDetector,
    graph: Graph,
    served: Replayed,
    telling: Replayed,
    pictures: Sequence[np.ndarray],
    tolerance: float,
) -> str:
    """Compare a file's numbers, and then its detections, with those of the checkpoint.

    Args:
        reference: the checkpoint's network.
        graph: of the file that tells its selections.
        served: what the file gave that is to be kept.
        telling: what the file of the same operations gave that tells its selections.
        pictures: on which both ran, [H, W, 3] uint8 RGB each.
        tolerance: largest difference, as ``proof.prove`` and ``comparison.compare`` take it.

    Returns:
        How large the differences are, in words.

    Raises:
        FocusDetrError: they differ, or there was nothing to compare.
    """
    _refuse_other_outputs(served.outputs, telling.outputs)
    proof = reduce(Proof.__add__, _proofs(reference, graph, telling.outputs, pictures, tolerance))
    if proof.fault:
        raise FocusDetrError(
            f"it differs from the checkpoint by more than {tolerance:g}: {proof.fault}"
        )
    expected = [reference.predict(picture) for picture in pictures]
    result = _compared(expected, served.predictions, pictures, tolerance)
    if not result.compared:
        raise FocusDetrError(
            f"nothing could be compared, as no score is more than {tolerance:g} above the last "
            "one; choose other --pictures or a smaller --tolerance"
        )
    alike = result.within(tolerance)
    if not (alike or proof.swapped):
        raise FocusDetrError(
            f"it differs from the checkpoint by more than {tolerance:g} ({result})"
        )
    told = f"{proof}; beside the checkpoint left to itself {result}"
    return told if alike else f"{told}, for these swaps alone"


def _refuse_other_outputs(served: Sequence[np.ndarray], telling: Sequence[np.ndarray]) -> None:
    """The file that tells its selections is a witness only if it computes the very same.

    Raises:
        FocusDetrError: it does not.
    """
    for index, (ours, theirs) in enumerate(zip(served, telling, strict=False)):
        if not np.array_equal(ours, theirs):
            raise FocusDetrError(
                f"its output {index + 1} is not, bit by bit, that of the same file with its "
                "selections as outputs, so these prove nothing; try another --engine"
            )


def _proofs(
    reference: GuidedDetector,
    graph: Graph,
    outputs: Sequence[np.ndarray],
    pictures: Sequence[np.ndarray],
    tolerance: float,
) -> list[Proof]:
    """Of each picture."""
    proofs = []
    for index, picture in enumerate(pictures):
        rows = [output[index] for output in outputs]
        found = computed_by_file(rows, graph, (picture.shape[0], picture.shape[1]))
        if not reference.fits(found.selections):
            raise FocusDetrError("its selections are not those of the checkpoint's network")
        expected = reference.compute(picture, found.selections)
        proofs.append(prove(reference.names, expected, found, tolerance))
    return proofs


def _compared(
    expected: Sequence[Prediction],
    found: Sequence[Prediction],
    pictures: Sequence[np.ndarray],
    tolerance: float,
) -> Comparison:
    """The detections, and the kept tokens where the file tells them."""
    sides = [max(picture.shape[:2]) for picture in pictures]
    ours, theirs = ([item.detections for item in items] for items in (expected, found))
    tokens = ([item.tokens for item in items] for items in (expected, found))
    return compare_all(ours, theirs, sides, tolerance) + compare_tokens(*tokens)
