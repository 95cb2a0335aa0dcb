"""How many weights each part of the detector has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from mindspore import Parameter, nn

from focus_detr.models.backbones.frozen_conv import FrozenBatchNorm
from focus_detr.models.detr import DETR


@dataclass(frozen=True)
class ParameterCounts:
    """Numbers per part; the fields are disjoint.

    The frozen batch norms hold constants, as in the reference, and are not counted.
    """

    backbone: int
    neck: int
    encoder: int  # without dual attention
    dual_attention: int
    decoder: int
    foreground_selector: int
    encoder_heads: int  # of its layers, for training only
    heads: int
    rest: int  # level, query and label embeddings, memory projection

    @property
    def total(self) -> int:
        """All parts."""
        return sum(getattr(self, part.name) for part in fields(self))


def count_parameters(model: DETR) -> ParameterCounts:
    """Count the weights of a built model, frozen ones included."""
    weights = _weights(model)
    counts = {part.name: 0 for part in fields(ParameterCounts)}
    for name, parameter in weights:
        counts[_part(name)] += parameter.size
    return ParameterCounts(**counts)


def count_trainable(model: DETR) -> int:
    """Count the weights that training changes: not the backbone's frozen stages."""
    return sum(parameter.size for _, parameter in _weights(model) if parameter.requires_grad)


def _weights(model: nn.Cell) -> Iterator[tuple[str, Parameter]]:
    norms = [cell for cell in model.cells_and_names() if isinstance(cell[1], FrozenBatchNorm)]
    constant = {id(parameter) for _, norm in norms for parameter in norm.get_parameters()}
    for name, parameter in model.parameters_and_names():
        if id(parameter) not in constant:
            yield name, parameter


def _part(name: str) -> str:
    """The part that the parameter called ``name`` belongs to."""
    if ".dual_attention." in name:
        return "dual_attention"
    owner = name.partition(".")[0]
    if owner in ("class_heads", "box_heads"):
        return "heads"
    return owner if owner in {part.name for part in fields(ParameterCounts)} else "rest"
