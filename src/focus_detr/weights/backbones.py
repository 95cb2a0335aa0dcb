"""ImageNet backbones from elsewhere: ResNets, Swin Transformers and EfficientNet-Lite."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from focus_detr.errors import FocusDetrError
from focus_detr.weights import swin_naming
from focus_detr.weights.naming import is_ignored, to_our_swin, to_torch_swin
from focus_detr.weights.swin_layouts import to_microsoft
from focus_detr.weights.templates import both_ways

PREFIX = "backbone."
_BOTTOM_UP = "backbone.bottom_up."  # where detectron2's detectors keep their backbone

_log = logging.getLogger(__name__)


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


def _swin(rename: Callable[[str], str | None] = _unchanged) -> Callable[[str], str | None]:
    """Through Microsoft's names to ours."""
    return lambda name: to_our_swin(rename(name) or name)


class _Layout(NamedTuple):
    """One way to name a backbone; ``mark`` is a tensor that only it has."""

    mark: str
    rename: Callable[[str], str | None]
    classifier: tuple[str, ...]  # beginnings of the names that classify images


# Microsoft's and timm's differ in where merging stands, so both have the other's marks but one
_LAYOUTS = (
    _Layout("layers.0.downsample.reduction.weight", _swin(), swin_naming.CLASSIFIER),
    _Layout(
        "layers.3.downsample.reduction.weight",
        _swin(swin_naming.from_timm),
        swin_naming.CLASSIFIER,
    ),
    _Layout(
        "features.1.0.attn.qkv.weight",
        _swin(swin_naming.from_torchvision),
        swin_naming.CLASSIFIER,
    ),
    _Layout("layer1.0.conv1.weight", _TORCHVISION, ("fc.",)),
    _Layout("res2.0.conv1.weight", _unchanged, ("fc.", "stem.fc.", "linear.")),
    _Layout("_conv_stem.weight", _EFFICIENTNET, ("_fc.", "_conv_head.", "_bn1.")),
)
_TAKE_TORCHVISION_S = "take torchvision's weights or detectron2's conversion of them instead"
# of the first convolution, median over channels; pixels that are divided by their deviation give
# about 1, others 58 times 58 as much
_LARGEST_VARIANCE = 100.0
_CAFFE2_MARK = "res2_0_branch2a_w"
_OUR_MARKS = (
    ("res2.0.conv1.weight", _TO_TORCHVISION),
    ("stem.weight", _TO_EFFICIENTNET),
    ("patch_embed.proj.weight", to_torch_swin),
)


def backbone_to_ours(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename an ImageNet backbone's tensors; its classifier is left out.

    The norms of Swin's outputs, which a classifier lacks, are added; a warning names them.

    Args:
        state: tensors by torch name; ResNet as torchvision or detectron2 names it (detectron2's
            also below ``backbone.`` or ``backbone.bottom_up.``), Swin Transformer as Microsoft,
            detectron2, timm, torchvision, mmdetection or Hugging Face's transformers do, or
            EfficientNet-Lite.

    Returns:
        Tensors by our name, ``backbone.`` first. A name that the layout does not know keeps its
        own below ``backbone.``.

    Raises:
        FocusDetrError: the names are of no known backbone, or the weights expect other pictures.
    """
    state = to_microsoft(_without_prefix(state))
    layout = _find_layout(state)
    unused = [
        name
        for name in state
        if not is_ignored(name)
        and (name.startswith(layout.classifier) or swin_naming.is_mask(name))
    ]
    tensors = {
        f"{PREFIX}{layout.rename(name) or name}": tensor
        for name, tensor in state.items()
        if not is_ignored(name) and name not in unused
    }
    if layout.classifier == swin_naming.CLASSIFIER:
        fresh = _fresh_norms(tensors)
        tensors |= fresh
        if fresh:
            _tell_of_norms(list(fresh), unused)
    _refuse_raw_pixels(tensors)
    return tensors


def _refuse_raw_pixels(tensors: Mapping[str, np.ndarray]) -> None:
    """Refuse what was trained on pixels in 0..255, as only the scale of its first maps tells."""
    variance = tensors.get(f"{PREFIX}stem.conv1.norm.running_var")
    if variance is not None and np.median(variance) > _LARGEST_VARIANCE:
        raise FocusDetrError(
            f"the backbone's first maps have a variance of {np.median(variance):.0f}, as of MSRA's "
            f"ResNets, which expect pixels in 0..255 in the order BGR; {_TAKE_TORCHVISION_S}"
        )


def _fresh_norms(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Scale 1 and shift 0 for the output norms that are not there."""
    embedded = tensors.get(f"{PREFIX}patch_embed.norm.gamma")
    if embedded is None:
        return {}
    fresh = {}
    for stage, norm in enumerate(swin_naming.OUTPUT_NORMS, 1):
        width = len(embedded) * 2**stage
        for part, value in (("gamma", 1.0), ("beta", 0.0)):
            name = f"{PREFIX}{norm}.{part}"
            if name not in tensors:
                fresh[name] = np.full(width, value, embedded.dtype)
    return fresh


def _tell_of_norms(fresh: list[str], unused: list[str]) -> None:
    _log.warning(
        "missing, so they start at 1 and 0: %s; not used: %s",
        ", ".join(fresh),
        ", ".join(unused) or "none",
    )


def backbone_to_torch(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Give the backbone its torch names, the inverse of ``backbone_to_ours``.

    Args:
        tensors: by our name; what is not below ``backbone.`` is left out.

    Returns:
        ResNets as torchvision names them, Swin Transformers as Microsoft does (index buffers
        included), EfficientNet-Lite0 as its package does, without the classifier.

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
            state = {rename(name) or name: tensor for name, tensor in inner.items()}
            return state | swin_naming.position_indices(state)
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
            "the backbone has Caffe2's names, as detectron2's MSRA/R-50.pkl and R-101.pkl; it "
            f"expects BGR and strides in its 1x1 convolutions; {_TAKE_TORCHVISION_S}"
        )
    examples = ", ".join(sorted(state)[:3])
    raise FocusDetrError(f"the tensors are of no known backbone (among them {examples})")
