"""Hungarian matching of targets to queries, on the host or in the graph.

Both matchers are called as ``matcher(logits, boxes, labels, target_boxes, box_valid)`` with
logits [H, B, Q, classes], boxes [H, B, Q, 4] and target_boxes [B, T, 4] (cx, cy, w, h over the
image), labels [B, T] int32 and box_valid [B, T] (real boxes first). They return [H, B, T] int32:
the query of each target of each of H heads, 0 at padding, and -1 for a real target that got none
because there are more targets than queries. No gradient flows.

With ``repeats`` a target is matched several times (mixed matching of Align-DETR): with k the
largest of them the result is [H, B, T*k], the k queries of a target one after the other. An image
with n targets gets at most Q // n queries for each, at least one; -1 fills the rest.
"""

from __future__ import annotations

import zlib
from typing import Any, Literal

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops.operations._pyfunc_registry import add_pyfunc

from focus_detr.losses.boxes import EPS, corners, generalized_iou
from focus_detr.losses.graph_assignment import assign_rows
from focus_detr.losses.host_assignment import COST_LIMIT, assign_repeatedly, matching_cost
from focus_detr.losses.label_logits import logits_of_labels
from focus_detr.losses.pairs import for_pairs
from focus_detr.ops.step_clock import FORWARD, MATCHING, mark

_LOG_EPS = 1e-8
_SPARE_COST = 4 * COST_LIMIT  # of a column that means "no query"; real ones are always preferred


class _Matcher(nn.Cell):
    """What both kinds share: the cost weights.

    Matches have no gradient: the criterion stops it on both sides. The host matcher says so itself
    as well; in the graph matcher a ``bprop`` makes the compilation of a whole network fail
    (MindSpore 2.10).
    """

    def __init__(
        self,
        *,
        class_cost: float = 2.0,
        box_cost: float = 5.0,
        giou_cost: float = 2.0,
        giou_epsilon: float = EPS,
        repeats: tuple[int, ...] = (1,),
    ) -> None:
        """Build the matcher.

        Args:
            class_cost: weight of the focal cost of the class.
            box_cost: of the L1 distance of the boxes.
            giou_cost: of minus their generalized IoU.
            giou_epsilon: as for ``generalized_iou``.
            repeats: queries of a target, an item for each head or one for all of them.
        """
        super().__init__()
        self.class_cost = class_cost
        self.box_cost = box_cost
        self.giou_cost = giou_cost
        self.giou_epsilon = giou_epsilon
        self.repeats = repeats
        self.per_box = max(repeats)


def _output_type(logits: type, boxes: type, labels: type, targets: type, valid: type) -> type:
    return ms.int32


class HostMatcher(_Matcher):
    """Cost and assignment on the host, through an operator that calls Python from the graph."""

    def __init__(self, **costs: Any) -> None:
        """Build the operator; its id depends on the numbers only, so that compiled graphs keep."""
        super().__init__(**costs)
        self.weights = (self.class_cost, self.box_cost, self.giou_cost)
        shape, kind = self._output_shape, _output_type
        self.match = ops.Custom(self.match_batch, shape, kind, func_type="pyfunc")
        numbers = f"{self.weights}{self.giou_epsilon}{self.repeats}"
        key = zlib.crc32(f"focus_detr.host_matcher{numbers}".encode())
        add_pyfunc(key, self.match_batch)
        self.match.add_prim_attr("fn_id", key)
        # the primitive: in a bprop, ops.zeros_like fails from the second compilation on (2.10)
        self.zeros = ops.ZerosLike()

    def _output_shape(
        self, logits: list, boxes: list, labels: list, targets: list, valid: list
    ) -> tuple:
        return logits[0], logits[1], targets[1] * self.per_box

    def bprop(
        self,
        logits: Tensor,
        boxes: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        box_valid: Tensor,
        out: Tensor,
        dout: Tensor,
    ) -> tuple:
        """Return zero gradients, each of its argument's shape and type."""
        zeros = ()
        for argument in (logits, boxes, labels, target_boxes, box_valid):
            zeros += (self.zeros(argument),)
        return zeros

    def match_batch(
        self,
        logits: np.ndarray,
        boxes: np.ndarray,
        labels: np.ndarray,
        target_boxes: np.ndarray,
        box_valid: np.ndarray,
    ) -> np.ndarray:
        """``construct`` on the host; of the same shapes.

        Never raises for numbers that are not finite, which would break the graph.
        """
        mark(FORWARD)
        heads, width = logits.shape[0], self.per_box
        matched = np.zeros((heads, len(labels), labels.shape[1] * width), np.int32)
        repeats = np.broadcast_to(self.repeats, heads)
        counts = np.asarray(box_valid).sum(1).astype(int)
        with np.errstate(all="ignore"):
            for image, count in enumerate(counts):
                real = labels[image, :count], target_boxes[image, :count]
                cost = matching_cost(
                    logits[:, image], boxes[:, image], *real, self.weights, self.giou_epsilon
                )
                for head in range(heads):
                    found = assign_repeatedly(cost[head], int(repeats[head]), width)
                    matched[head, image, : count * width] = found.reshape(-1)  # [n, k] -> [n*k]
        mark(MATCHING)
        return matched

    def construct(self, *arguments: Tensor) -> Tensor:
        """Match: [H, B, T] int32; arguments and result as in the module's description."""
        return self.match(*arguments)


class GraphMatcher(_Matcher):
    """Cost and assignment as operations of the graph: nothing leaves the device."""

    def _class_costs(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Focal cost of each target's label: [H, B, Q, classes], [B, T] -> [H, B, T, Q]."""
        chosen = logits_of_labels(logits, labels)  # [H, B, T, Q]
        positive, negative = ops.sigmoid(chosen), ops.sigmoid(-chosen)
        gain = -0.25 * ops.square(negative) * ops.log(positive + _LOG_EPS)
        return gain + 0.75 * ops.square(positive) * ops.log(negative + _LOG_EPS)

    def _costs(self, logits: Tensor, boxes: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
        """Clean cost of every pair: [H, B, T, Q]."""
        boxes = boxes.expand_dims(2)  # [H, B, 1, Q, 4]
        targets = targets.expand_dims(2).expand_dims(0)  # [1, B, T, 1, 4]
        distance = ops.abs(boxes[..., 0] - targets[..., 0])  # [H, B, T, Q]
        for axis in range(1, 4):
            distance = distance + ops.abs(boxes[..., axis] - targets[..., axis])
        cost = self.class_cost * self._class_costs(logits, labels) + self.box_cost * distance
        giou = generalized_iou(corners(boxes), corners(targets), self.giou_epsilon)
        cost = cost - self.giou_cost * giou
        cost = ops.select(ops.isnan(cost), ops.full_like(cost, COST_LIMIT), cost)
        return ops.clamp(cost, -COST_LIMIT, COST_LIMIT)

    def construct(
        self,
        logits: Tensor,
        boxes: Tensor,
        labels: Tensor,
        target_boxes: Tensor,
        box_valid: Tensor,
    ) -> Tensor:
        """Match: [H, B, T] int32; arguments and result as in the module's description."""
        heads, batch, queries, _ = logits.shape
        count, width = labels.shape[1], self.per_box
        cost = self._costs(logits, boxes, labels, target_boxes)
        used = self._rows_in_use(box_valid, heads, queries)  # [H, B, T*k]
        if width > 1:
            cost = ops.broadcast_to(cost.expand_dims(3), (heads, batch, count, width, queries))
        cost = cost.reshape(heads * batch, count * width, queries)  # [H*B, T*k, Q]
        if count > queries:
            shape = (heads * batch, count * width, count - queries)
            spare = ops.full(shape, _SPARE_COST, dtype=cost.dtype)
            cost = ops.concat((cost, spare), 2)  # [H*B, T*k, T]
        matched = assign_rows(cost, used.reshape(heads * batch, -1))  # [H*B, T*k]
        matched = matched.reshape(used.shape)  # [H*B, T*k] -> [H, B, T*k]
        matched = ops.select(matched < queries, matched, ops.full_like(matched, -1))
        real = used if width == 1 else for_pairs(box_valid, width) > 0.0
        return ops.select(real, matched, ops.zeros_like(matched))

    def _rows_in_use(self, box_valid: Tensor, heads: int, queries: int) -> Tensor:
        """Which of a box's k rows are to be assigned: [B, T] -> [H, B, T*k] bool."""
        batch, count = box_valid.shape
        if self.per_box == 1:
            return ops.broadcast_to(box_valid > 0.0, (heads, batch, count))
        boxes = ops.clamp(box_valid.sum(1), min=1.0).astype(ms.int32)  # [B]
        fits = ops.clamp(queries // boxes, min=1)[None, :, None, None]  # [1, B, 1, 1]
        wanted = ops.broadcast_to(Tensor(self.repeats, ms.int32), (heads,))
        turn = ops.arange(self.per_box).astype(ms.int32)  # [k]
        used = ops.logical_and(turn < wanted[:, None, None, None], turn < fits)  # [H, B, 1, k]
        used = ops.logical_and(used, (box_valid > 0.0).expand_dims(2))  # [H, B, T, k]
        return used.reshape(heads, batch, -1)  # [H, B, T, k] -> [H, B, T*k]


_KINDS: dict[str, type[_Matcher]] = {"host": HostMatcher, "graph": GraphMatcher}


def build_matcher(kind: Literal["auto", "host", "graph"], device: str, **costs: Any) -> nn.Cell:
    """Build the matcher that suits a device.

    Args:
        kind: ``host``, ``graph``, or ``auto``: host on a CPU, graph elsewhere, where copying the
            predictions to the host would stop the device.
        device: MindSpore's device target, for example ``CPU``.
        **costs: ``class_cost``, ``box_cost`` (L1) and ``giou_cost``, weights of the costs,
            ``giou_epsilon`` and ``repeats``.
    """
    if kind == "auto":
        kind = "host" if device == "CPU" else "graph"
    return _KINDS[kind](**costs)
