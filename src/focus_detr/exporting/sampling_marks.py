"""Marks that tell where deformable sampling begins and ends, in a MINDIR and the ONNX file of it.

An engine that has a quicker operator than the composition puts it there
(``deploy.openvino_sampling``); others do not see the marks.
"""

from __future__ import annotations

from collections.abc import Mapping

from mindspore import Tensor, nn, ops

from focus_detr.deploy.marked_samplings import Sampling
from focus_detr.exporting.mindir_graph import Wire
from focus_detr.models.geometry import level_shapes
from focus_detr.ops.msda import MSDeformableAttention

MARK = "sampling"  # attribute of a marking operation, which changes nothing
_ROLES = ("value", "references", "projected", "result")
_NAMES = "{} {}"  # of a mark: number of the sampling, role


class MarkedSampling(nn.Cell):
    """A sampling whose arguments and result are marked.

    Args:
        sampling: any of those that ``MSDeformableAttention`` takes.
        number: of this sampling in the network.
    """

    def __init__(self, sampling: nn.Cell, number: int) -> None:
        super().__init__()
        self.sampling = sampling
        marks = (_mark(number, role) for role in _ROLES)
        self.value, self.references, self.projected, self.result = marks

    def construct(
        self,
        value: Tensor,
        shapes: tuple[tuple[int, int], ...],
        references: Tensor,
        projected: Tensor,
    ) -> Tensor:
        """[B, N, M, C/M], shapes, [B, Q, L, 2 or 4] and [B, Q, 3*M*L*P] -> [B, Q, C]."""
        value, references = self.value(value), self.references(references)
        return self.result(self.sampling(value, shapes, references, self.projected(projected)))


def _mark(number: int, role: str) -> ops.Identity:
    identity = ops.Identity()
    identity.add_prim_attr(MARK, _NAMES.format(number, role))
    return identity


def mark_samplings(network: nn.Cell) -> None:
    """Mark the sampling of every deformable attention of a network, which is changed."""
    attentions = [c for _, c in network.cells_and_names() if isinstance(c, MSDeformableAttention)]
    for number, attention in enumerate(attentions):
        attention.sampling = MarkedSampling(attention.sampling, number)


def marked_samplings(marks: Mapping[str, Wire], size: tuple[int, int]) -> list[Sampling]:
    """The samplings of which all four marks were found; what is constant in a file has none.

    Args:
        marks: by attribute of the marking operation: what was marked, named as in the file, where
            it may have another shape with the same numbers.
        size: (H, W) of the images.
    """
    numbers = sorted({int(mark.partition(" ")[0]) for mark in marks})
    found = (_of_roles(marks, number) for number in numbers)
    return [_sampling(*arrays, size=size) for arrays in found if len(arrays) == len(_ROLES)]


def _of_roles(marks: Mapping[str, Wire], number: int) -> list[Wire]:
    names = (_NAMES.format(number, role) for role in _ROLES)
    return [marks[name] for name in names if name in marks]


def _sampling(
    value: Wire, references: Wire, projected: Wire, result: Wire, *, size: tuple[int, int]
) -> Sampling:
    return Sampling(
        value=value.name,
        references=references.name,
        projected=projected.name,
        result=result.name,
        value_shape=value.shape,
        references_shape=references.shape,
        grids=level_shapes(*size, references.shape[2]),
    )
