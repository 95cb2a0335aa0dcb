"""How an exported graph samples for deformable attention."""

from __future__ import annotations

from pathlib import Path

import mindspore as ms
from mindspore import nn, ops
from mindspore.ops import CustomRegOp, DataType

from focus_detr.deploy.mindir_file import nodes, read_mindir
from focus_detr.deploy.native_library import LIBRARY_DEVICE
from focus_detr.errors import FocusDetrError
from focus_detr.ops.msda import MSDeformableAttention
from focus_detr.ops.msda_ascend import output_shape
from focus_detr.ops.msda_builtin import BuiltinSampling
from focus_detr.ops.msda_composition import ComposedSampling, PlacedSampling
from focus_detr.ops.msda_custom import FusedSampling
from focus_detr.ops.msda_library import BUILD_COMMANDS, find_library
from focus_detr.ops.native_library import LibraryError
from focus_detr.wording import counted

# CANN's operator as its definition names it; MindSpore calls it by aclnn and the name
ASCEND_OPERATOR = "MultiScaleDeformableAttnFunction"
ASCEND_INPUTS = (
    "value",
    "value_spatial_shapes",
    "value_level_start_index",
    "sampling_locations",
    "attention_weights",
)
ASCEND_OUTPUTS = ("output",)
# for these the operator takes the layout that we have; for others it wants transposed tensors
ASCEND_DEPTHS, ASCEND_LARGEST = (16, 32), 8


def replace_sampling(network: nn.Cell, choice: str) -> int:
    """Give every deformable attention of a network the sampling of an export.

    Args:
        network: any cell; it is changed.
        choice: composition, custom or ascend.

    Returns:
        The number of deformable attentions.

    Raises:
        FocusDetrError: the choice is not available here or not for this network.
    """
    attentions = [c for _, c in network.cells_and_names() if isinstance(c, MSDeformableAttention)]
    for attention in attentions:
        attention.sampling = _sampling(choice, attention)
    return len(attentions)


def _sampling(choice: str, attention: MSDeformableAttention) -> nn.Cell:
    if choice == "composition":
        return PlacedSampling(ComposedSampling())
    if choice == "ascend":
        _refuse_other_layouts(attention)
        return PlacedSampling(BuiltinSampling(build_ascend_node()))
    try:
        return FusedSampling(find_library(LIBRARY_DEVICE), LIBRARY_DEVICE)
    except LibraryError as error:
        raise FocusDetrError(
            f"--msda custom: {error}; build it with `{BUILD_COMMANDS[LIBRARY_DEVICE]}` in the "
            "repository, or export with --msda composition"
        ) from error


def _refuse_other_layouts(attention: MSDeformableAttention) -> None:
    depth = attention.value_proj.weight.shape[0] // attention.heads
    fits = depth in ASCEND_DEPTHS and not attention.points % 2
    if not fits or max(attention.heads, attention.levels) > ASCEND_LARGEST:
        sizes = (depth, attention.points, attention.heads, attention.levels)
        found = map(counted, sizes, ("channel", "point", "head", "level"))
        raise FocusDetrError(
            "--msda ascend needs 16 or 32 channels per head, an even number of points and at most "
            f"8 heads and levels; the network has {', '.join(found)}: use --msda composition"
        )


def build_ascend_node() -> ops.Custom:
    """CANN's operator as a node that the Ascend converter knows; it cannot run on a CPU."""
    record = CustomRegOp(ASCEND_OPERATOR)
    for index, tensor in enumerate(ASCEND_INPUTS):
        record = record.input(index, tensor, "required")
    for index, tensor in enumerate(ASCEND_OUTPUTS):
        record = record.output(index, tensor, "required")
    real, whole = DataType.F32_Default, DataType.I32_Default
    info = record.dtype_format(real, whole, whole, real, real, real).target("Ascend").get_op_info()
    name = f"aclnn{ASCEND_OPERATOR}"
    return ops.Custom(name, output_shape, ms.float32, "aot", reg_info=info)


def check_ascend_nodes(path: Path, expected: int) -> None:
    """Look at the nodes that the converter will read: operator, and names of tensors in order.

    Raises:
        FocusDetrError: there are not as many as the network has deformable attentions, or one
            lacks a name.
    """
    every = [{a.name: a for a in node.attribute} for node in nodes(read_mindir(path))]
    found = [node for node in every if _text(node, "reg_op_name") == ASCEND_OPERATOR]
    named = [
        node
        for node in found
        if _texts(node, "input_names") == ASCEND_INPUTS
        and _texts(node, "output_names") == ASCEND_OUTPUTS
    ]
    if not len(found) == len(named) == expected:
        raise FocusDetrError(
            f"{path} has {counted(len(found), 'node')} of {ASCEND_OPERATOR}, {len(named)} with the "
            f"names that the converter needs; expected {expected}"
        )


def _text(attributes: dict, name: str) -> str:
    return attributes[name].s.decode() if name in attributes else ""


def _texts(attributes: dict, name: str) -> tuple[str, ...]:
    if name not in attributes:
        return ()
    return tuple(b"".join(value.strings).decode() for value in attributes[name].values)
