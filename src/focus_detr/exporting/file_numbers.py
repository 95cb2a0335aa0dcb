"""What an exported file that tells its selections computed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from focus_detr.comparing.guided_detector import of_longer_side
from focus_detr.comparing.proof import Computed, Selection
from focus_detr.data.buckets import Size
from focus_detr.deploy.sidecar import Graph


def computed_by_file(outputs: Sequence[np.ndarray], graph: Graph, size: Size) -> Computed:
    """What a file that tells its selections computed for one picture.

    Args:
        outputs: of the graph for this picture, without their first axis.
        graph: of the file.
        size: (height, width) of the picture.
    """
    scores, labels, boxes, *others = outputs
    plain = len(others) - 2 * graph.selections
    told = others[plain:]
    selections = [Selection(*pair) for pair in zip(told[::2], told[1::2], strict=True)]
    in_units = graph.boxes == "unit"
    boxes = of_longer_side(boxes, size) if in_units else boxes / np.float32(max(size))
    return Computed(selections, scores, labels, boxes, others[:plain])
