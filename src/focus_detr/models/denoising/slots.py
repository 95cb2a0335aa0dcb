"""How denoising queries are laid out in slots, and who sees them.

With M the largest number of boxes of an image in the batch, a group has M slots for each kind of
query. M depends on the batch but the D slots do not, so what lies beyond the last group is dead:
nobody sees it and no loss counts it.
"""

from __future__ import annotations

from typing import TypedDict

import mindspore as ms
from mindspore import Parameter, Tensor, ops


class SlotLayout(TypedDict):
    """What each slot is for."""

    group: Tensor  # [D] int32, negative and different for dead slots
    target: Tensor  # [D] int32, place of the slot's box among the image's targets
    positive: Tensor  # [D] float32, 1 for live slots that should find their box
    groups: Tensor  # [] float32, how many are live


class DenoisingInput(TypedDict):
    """Denoising queries as the network takes them, put before its own."""

    content: Tensor  # [B, D, C]
    references: Tensor  # [B, D, 4] cx cy w h in 0..1
    blocked: Tensor  # [D + Q, D + Q] bool, true where the row's query must not see the column's


KINDS = 2  # of contrastive queries: positives and negatives


def slot_count(kind: str, number: int, targets: int) -> int:
    """Slots D that hold every batch with up to ``targets`` padded targets; 0 without denoising.

    Args:
        kind: "contrastive" or "dn".
        number: wanted pairs for each image, or groups.
        targets: T.
    """
    if kind == "dn":
        return number * targets
    return KINDS * max(number, targets) if number > 0 else 0


def lay_out(largest: Tensor, groups: Tensor, kinds: int, slots: int) -> SlotLayout:
    """Fill slots group by group, the first kind of query being the positive one.

    Args:
        largest: [] int32, M.
        groups: [] int32, how many are live.
        kinds: of queries in a group.
        slots: D.
    """
    period = ops.clamp(largest, min=1)  # without any box: no live slot, but no division by 0
    slot = ops.arange(slots).astype(ms.int32)
    live = slot < kinds * largest * groups
    place = slot % (kinds * period)
    positive = ops.logical_and(live, place < period)
    return {
        "group": ops.select(live, slot // (kinds * period), -1 - slot),
        "target": place % period,
        "positive": positive.astype(ms.float32),
        "groups": groups.astype(ms.float32),
    }


def attention_mask(group: Tensor, queries: int) -> Tensor:
    """Who must not see whom in the decoder's self attention.

    Matching queries see each other; a live slot sees its group and all matching queries; a dead
    slot sees itself only, so that its softmax has something to sum.

    Args:
        group: [D] int32, negative and different for dead slots.
        queries: number Q of matching queries.

    Returns:
        [D + Q, D + Q] bool, true where the row's query must not see the column's.
    """
    slots = group.shape[0]
    matching = ops.full((queries,), slots, dtype=ms.int32)  # a group number that no slot has
    code = ops.concat((group, matching))  # [D + Q]
    same = code.expand_dims(1) == code.expand_dims(0)  # [D + Q, D + Q]
    sees_matching = ops.logical_and((code >= 0).expand_dims(1), (code == slots).expand_dims(0))
    return ops.logical_not(ops.logical_or(same, sees_matching))


def embed(labels: Tensor, slot_valid: Tensor, table: Tensor | Parameter) -> Tensor:
    """Content of the slots.

    Args:
        labels: [B, D] int32.
        slot_valid: [B, D] float32; slots with 0 stay empty.
        table: [rows, C] label embedding.

    Returns:
        [B, D, C].
    """
    content = ops.gather(table, labels, 0)  # [B, D, C]
    return content * slot_valid.expand_dims(2)
