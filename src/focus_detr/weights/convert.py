"""Conversion of checkpoints: from torch's names and files to ours, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from mindspore import nn

from focus_detr.config.loading import to_dict
from focus_detr.config.schema import (
    BackboneConfig,
    Config,
    DataConfig,
    DenoisingConfig,
    ModelConfig,
    PositionConfig,
)
from focus_detr.config.validation import validate
from focus_detr.data.classes import ClassMap
from focus_detr.data.coco_classes import COCO_CLASSES
from focus_detr.errors import FocusDetrError
from focus_detr.models.factory import build_backbone, build_model
from focus_detr.weights.backbones import PREFIX as BACKBONE_PREFIX
from focus_detr.weights.backbones import backbone_to_ours
from focus_detr.weights.bias_tables import fit_bias_tables
from focus_detr.weights.checkpoint import OPTIMIZER_PREFIX, refuse_difference
from focus_detr.weights.difference import Difference, Patterns, Shape, compare
from focus_detr.weights.model_settings import infer_backbone, infer_model
from focus_detr.weights.naming import (
    TorchLayout,
    aliases,
    find_encoder_head,
    is_ignored,
    layer_head_to_torch,
    shares_heads,
    to_ours,
    to_torch,
)
from focus_detr.weights.originals import (
    is_original_dac,
    is_original_deformable,
    is_original_dino,
    is_original_dn,
    is_sparse_release,
    to_detrex,
    to_sparse_release,
)
from focus_detr.weights.stored_settings import stored_test_size
from focus_detr.weights.swin_naming import position_indices
from focus_detr.weights.torch_reader import read_state_dict
from focus_detr.wording import counted

Tensors = Mapping[str, np.ndarray]
Kind = Literal["auto", "focus_detr", "backbone"]

_FEW_RESULTS = 100  # for an image, of Deformable DETR's code and what follows it closely


@dataclass(frozen=True)
class Choices:
    """What a torch file does not tell about its network.

    ``model`` overrules what the tensors show and ``position``; ``class_names`` as in
    ``describe_detector``; ``kind`` auto looks for a transformer; of ``data`` the test size counts.
    """

    kind: Kind = "auto"
    position: PositionConfig = field(default_factory=PositionConfig)
    model: ModelConfig | None = None
    data: DataConfig = field(default_factory=DataConfig)
    class_names: Sequence[str] | None = None

    def model_of(self, tensors: Tensors) -> ModelConfig:
        """Settings of a detector, with the number of classes that its tensors have."""
        inferred = infer_model(tensors, self.position)
        if self.model is None:
            return inferred
        return replace(self.model, num_classes=inferred.num_classes)

    def backbone_of(self, tensors: Tensors) -> BackboneConfig:
        """Settings of a backbone alone."""
        return infer_backbone(tensors) if self.model is None else self.model.backbone


def is_detector(state: Tensors) -> bool:
    """Whether a torch state dict is a whole detector's, not a backbone's alone."""
    return any(name.startswith("transformer.") for name in state)


def detector_to_ours(state: Tensors) -> dict[str, np.ndarray]:
    """Rename a torch detector's tensors and fold its aliases.

    Checkpoints of detrex and of the authors' own code are told apart by their names.

    Raises:
        FocusDetrError: it has no decoder, or names of one tensor hold different values.
    """
    state = to_detrex(state)
    encoder_head, shared_heads = find_encoder_head(state), shares_heads(state)
    tensors: dict[str, np.ndarray] = {}
    first: dict[str, str] = {}
    for name, tensor in state.items():
        if is_ignored(name):
            continue
        ours = to_ours(name, encoder_head, shared_heads)
        if not np.array_equal(tensors.setdefault(ours, tensor), tensor, equal_nan=True):
            raise FocusDetrError(
                f"{first[ours]} and {name} should be one tensor, but their values differ"
            )
        first.setdefault(ours, name)
    return tensors


def detector_to_torch(tensors: Tensors) -> dict[str, np.ndarray]:
    """Rename our tensors and write every alias again; the inverse of ``detector_to_ours``.

    Names are detrex', of Sparse DETR those of its authors' code. Optimiser tensors are left out.

    Raises:
        FocusDetrError: they have no decoder, as a backbone alone.
    """
    layout = TorchLayout.of(tensors)
    named = {
        to_torch(name, layout): tensor
        for name, tensor in tensors.items()
        if not name.startswith(OPTIMIZER_PREFIX)
    }
    encoder_head = find_encoder_head(named)
    named = {layer_head_to_torch(name, encoder_head): tensor for name, tensor in named.items()}
    if is_sparse_release(named):
        return to_sparse_release(named)
    shared = encoder_head if layout.shared_heads else 1
    focuses = (
        0
        if layout.dense
        else len({name.split(".")[2] for name in tensors if _is_encoder_layer(name)})
    )
    state = dict(named)
    for name, tensor in named.items():
        others = aliases(
            name, encoder_head, focuses, sharing_layers=shared, two_stage=layout.two_stage
        )
        state.update(dict.fromkeys(others, tensor))
    return state | position_indices(state)


def is_backbone_alone(tensors: Tensors) -> bool:
    """Whether a checkpoint of ours holds a backbone and nothing else."""
    return all(name.startswith(BACKBONE_PREFIX) for name in tensors)


def _is_encoder_layer(name: str) -> bool:
    return name.startswith("encoder.layers.")


def fit(
    tensors: Tensors, expected: Mapping[str, Shape], skip: Patterns = (), label: str = "the file"
) -> tuple[dict[str, np.ndarray], Difference]:
    """Check tensors against a model's.

    Args:
        tensors: by our name.
        expected: shape by our name.
        skip: regular expressions of tensors that may differ.
        label: what messages call the tensors' origin.

    Returns:
        The tensors that fit, and what ``skip`` has excused.

    Raises:
        FocusDetrError: tensors are missing, unexpected or misshapen, with a list of them.
    """
    difference = compare(expected, {name: tensor.shape for name, tensor in tensors.items()})
    refuse_difference(difference.without(skip), label)
    excluded = {*difference.unexpected, *(entry.name for entry in difference.misshapen)}
    return {name: tensors[name] for name in tensors if name not in excluded}, difference


def model_shapes(model: ModelConfig) -> dict[str, Shape]:
    """Shape by name of a detector with these settings."""
    return _shapes(build_model(model, model.num_classes or len(COCO_CLASSES)))


def backbone_shapes(backbone: BackboneConfig) -> dict[str, Shape]:
    """Shape by name of a backbone with these settings, as a part of the detector."""
    shapes = _shapes(build_backbone(backbone))
    return {f"{BACKBONE_PREFIX}{name}": shape for name, shape in shapes.items()}


def _shapes(cell: nn.Cell) -> dict[str, Shape]:
    return {name: tuple(parameter.shape) for name, parameter in cell.parameters_and_names()}


def describe_detector(
    model: ModelConfig, class_names: Sequence[str] | None, source: str
) -> dict[str, object]:
    """Metadata of a converted detector.

    Args:
        model: its settings, with the number of classes.
        class_names: in class order, their category ids then being 1, 2, ...; None stands for
            COCO's classes if there are 80, and for "class 1", "class 2", ... otherwise.
        source: where the weights come from.

    Raises:
        FocusDetrError: the names are not as many as the classes, or the settings make no sense.
    """
    whole = Config(model=model, denoising=DenoisingConfig(number=0))
    validate(whole, f"settings inferred from {source}")
    classes = _classes(model.num_classes or 0, class_names)
    return {
        "class_names": list(classes.names),
        "category_ids": list(classes.category_ids),
        "model": to_dict(Config(model=replace(model, num_classes=None)))["model"],
        "source": source,
    }


def describe_backbone(backbone: BackboneConfig, source: str) -> dict[str, object]:
    """Metadata of a converted backbone: no classes, and only the backbone's settings."""
    whole = Config(model=ModelConfig(backbone=backbone))
    return {
        "class_names": [],
        "category_ids": [],
        "model": {"backbone": to_dict(whole)["model"]["backbone"]},
        "source": source,
    }


def _classes(count: int, names: Sequence[str] | None) -> ClassMap:
    if names is None and count == len(COCO_CLASSES):
        return COCO_CLASSES
    numbers = tuple(range(1, count + 1))
    if names is None:
        return ClassMap(tuple(f"class {number}" for number in numbers), numbers)
    if len(names) != count:
        raise FocusDetrError(f"got {counted(len(names), 'class name')}, the checkpoint has {count}")
    return ClassMap(tuple(names), numbers)


def checkpoint_from_torch(
    path: Path, choices: Choices, skip: Patterns = ()
) -> tuple[dict[str, np.ndarray], dict[str, object], Difference]:
    """Read a torch file and make tensors and metadata of our checkpoint from it.

    Args:
        path: torch checkpoint of a detector or a backbone.
        choices: what the file does not tell.
        skip: regular expressions of tensors that may differ from the model's; they are left out.

    Returns:
        Tensors by our name, metadata, and what ``skip`` has excused.

    Raises:
        FocusDetrError: the file cannot be read, or its tensors do not fit the model.
    """
    state = read_state_dict(path)
    source = _provenance(path)
    is_whole = is_detector(state) if choices.kind == "auto" else choices.kind == "focus_detr"
    if is_whole:
        tensors = detector_to_ours(state)
        model = _as_original(choices.model_of(tensors), state, choices)
        metadata = describe_detector(model, choices.class_names, source)
        metadata["data"] = stored_test_size(choices.data)
        expected = model_shapes(model)
    else:
        tensors = backbone_to_ours(state)
        backbone = choices.backbone_of(tensors)
        metadata = describe_backbone(backbone, source)
        expected = backbone_shapes(backbone)
        tensors = fit_bias_tables(tensors, expected, str(path))
    fitting, excused = fit(tensors, expected, skip, str(path))
    return fitting, metadata, excused


def _as_original(model: ModelConfig, state: Tensors, choices: Choices) -> ModelConfig:
    """What the authors' own code has and its tensors do not show."""
    if choices.model is not None:
        return model
    if is_original_dino(state) and choices.position == PositionConfig():
        return replace(model, position=PositionConfig(20.0, 0.0))
    if is_original_dac(state):
        return replace(model, logit_epsilon=1e-5, overlap_limit=0.8, overlap_candidates=10_000)
    if is_original_deformable(state):
        return replace(model, logit_epsilon=1e-5, max_detections=_FEW_RESULTS)
    return replace(model, max_detections=_FEW_RESULTS) if is_original_dn(state) else model


def _provenance(path: Path) -> str:
    return f"{path.name}, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}"
