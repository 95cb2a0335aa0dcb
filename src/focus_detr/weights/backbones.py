"""ImageNet backbones from elsewhere: names of torchvision, detectron2 and EfficientNet-Lite."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.weights.naming import is_ignored
from focus_detr.weights.templates import both_ways

PREFIX = "backbone."
_BOTTOM_UP = "backbone.bottom_up."  # where detectron2's detectors keep their backbone


# norms come before their convolutions, which begin our names of them
def _torchvision_pairs() -> Iterator[tuple[str, str]]:
    yield "bn1.", "stem.conv1.norm."
    yield "conv1.", "stem.conv1."
    for layer in range(1, 5):
        ours = f"res{layer + 1}.#"
        for conv in range(1, 4):
            yield f"layer{layer}.#.bn{conv}.", f"{ours}.conv{conv}.norm."
            yield f"layer{layer}.#.conv{conv}.", f"{ours}.conv{conv}."
        yield f"layer{layer}.#.downsample.1.", f"{ours}.shortcut.norm."
        yield f"layer{layer}.#.downsample.0.", f"{ours}.shortcut."


_TORCHVISION, _TO_TORCHVISION = both_ways(_torchvision_pairs())
_EFFICIENTNET, _TO_EFFICIENTNET = both_ways(
    (
        ("_bn0.", "stem.norm."),
        ("_conv_stem.", "stem."),
        ("_blocks.#._bn0.", "blocks.#.expand.norm."),
        ("_blocks.#._expand_conv.", "blocks.#.expand."),
        ("_blocks.#._bn1.", "blocks.#.depthwise.norm."),
        ("_blocks.#._depthwise_conv.", "blocks.#.depthwise."),
        ("_blocks.#._bn2.", "blocks.#.project.norm."),
        ("_blocks.#._project_conv.", "blocks.#.project."),
    )
)


def _unchanged(name: str) -> str | None:
    return name


class _Layout(NamedTuple):
    """One way to name a backbone; ``mark`` is a tensor that only it has."""

    mark: str
    rename: Callable[[str], str | None]
    classifier: tuple[str, ...]  # beginnings of the names that classify images


_LAYOUTS = (
    _Layout("layer1.0.conv1.weight", _TORCHVISION, ("fc.",)),
    _Layout("res2.0.conv1.weight", _unchanged, ("fc.", "stem.fc.", "linear.")),
    _Layout("_conv_stem.weight", _EFFICIENTNET, ("_fc.", "_conv_head.", "_bn1.")),
)
_CAFFE2_MARK = "res2_0_branch2a_w"
_OUR_MARKS = (("res2.0.conv1.weight", _TO_TORCHVISION), ("stem.weight", _TO_EFFICIENTNET))


def backbone_to_ours(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename an ImageNet backbone's tensors; its classifier is left out.

    Args:
        state: tensors by torch name; ResNet as torchvision or detectron2 names it (detectron2's
            also below ``backbone.`` or ``backbone.bottom_up.``), or EfficientNet-Lite.

    Returns:
        Tensors by our name, ``backbone.`` first. A name that the layout does not know keeps its
        own below ``backbone.``.

    Raises:
        FocusDetrError: the names are of no known backbone.
    """
    state = _without_prefix(state)
    layout = _find_layout(state)
    return {
        f"{PREFIX}{layout.rename(name) or name}": tensor
        for name, tensor in state.items()
        if not is_ignored(name) and not name.startswith(layout.classifier)
    }


def backbone_to_torch(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the backbone its torch names, the inverse of ``backbone_to_ours``.

    Args:
        tensors: by our name; what is not below ``backbone.`` is left out.

    Returns:
        ResNets as torchvision names them, EfficientNet-Lite0 as its package does, without the
        classifier.

    Raises:
        FocusDetrError: there is no backbone of ours.
    """
    inner = {
        name.removeprefix(PREFIX): tensor
        for name, tensor in tensors.items()
        if name.startswith(PREFIX)
    }
    for mark, rename in _OUR_MARKS:
        if mark in inner:
            return {rename(name) or name: tensor for name, tensor in inner.items()}
    raise FocusDetrError("the checkpoint has no backbone that torch names are known for")


def _without_prefix(state: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
    for prefix in (_BOTTOM_UP, PREFIX):
        inner = {
            name.removeprefix(prefix): tensor
            for name, tensor in state.items()
            if name.startswith(prefix)
        }
        if inner:
            return inner
    return state


def _find_layout(state: Mapping[str, np.ndarray]) -> _Layout:
    for layout in _LAYOUTS:
        if layout.mark in state:
            return layout
    if _CAFFE2_MARK in state:
        raise FocusDetrError(
            "the backbone has Caffe2's names; it expects BGR and strides in its 1x1 convolutions, "
            "so take detectron2's conversion of torchvision's weights instead"
        )
    examples = ", ".join(sorted(state)[:3])
    raise FocusDetrError(f"the tensors are of no known backbone (among them {examples})")
