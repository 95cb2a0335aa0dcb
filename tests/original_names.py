"""Checkpoints as the authors of Deformable DETR, DN-DETR and DINO wrote them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from focus_detr.data.coco_classes import COCO_CLASSES

IDS = list(COCO_CLASSES.category_ids)
_NAMES = (
    (r"^backbone\.stem\.conv1\.norm\.", "backbone.0.body.bn1."),
    (r"^backbone\.stem\.conv1\.", "backbone.0.body.conv1."),
    (r"^(backbone\.res\d\.\d+\.)shortcut\.norm\.", r"\1downsample.1."),
    (r"^(backbone\.res\d\.\d+\.)shortcut\.", r"\1downsample.0."),
    (r"^(backbone\.res\d\.\d+\.)conv(\d)\.norm\.", r"\1bn\2."),
    (r"^neck\.convs\.(\d)\.conv\.", r"input_proj.\1.0."),
    (r"^neck\.convs\.(\d)\.norm\.", r"input_proj.\1.1."),
    (r"^neck\.extra_convs\.0\.conv\.", "input_proj.3.0."),
    (r"^neck\.extra_convs\.0\.norm\.", "input_proj.3.1."),
    (r"(encoder\.layers\.\d\.)attentions\.0\.", r"\1self_attn."),
    (r"(decoder\.layers\.\d\.)attentions\.0\.attn\.", r"\1self_attn."),
    (r"(decoder\.layers\.\d\.)attentions\.1\.", r"\1cross_attn."),
    (r"ffns\.0\.layers\.0\.0\.", "linear1."),
    (r"ffns\.0\.layers\.1\.", "linear2."),
    (r"(encoder\.layers\.\d\.)norms\.0\.", r"\1norm1."),
    (r"(encoder\.layers\.\d\.)norms\.1\.", r"\1norm2."),
    (r"(decoder\.layers\.\d\.)norms\.0\.", r"\1norm2."),
    (r"(decoder\.layers\.\d\.)norms\.1\.", r"\1norm1."),
    (r"(decoder\.layers\.\d\.)norms\.2\.", r"\1norm3."),
    (r"^transformer\.level_embeds$", "transformer.level_embed"),
    (r"^query_embedding\.weight$", "query_embed.weight"),
    (r"^denoising_generator\.label_encoder\.weight$", "label_enc.weight"),
)


def original_name(name: str) -> str:
    """Of a tensor that detrex calls ``name``."""
    for pattern, replacement in _NAMES:
        name = re.sub(pattern, replacement, name)
    return re.sub(
        r"^backbone\.res(\d)\.", lambda match: f"backbone.0.body.layer{int(match[1]) - 1}.", name
    )


def as_original(base: str, state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A state dict of detrex with the authors' names and a row for each category id.

    Args:
        base: as in ``family_cases``; DINO's heads of the decoder must be equal.
        state: aliases included.
    """
    original = {}
    for name, tensor in state.items():
        new, objects = original_name(name), base == "deformable_two_stage" and "_embed.6." in name
        if base == "dino":
            new = re.sub(r"^(class|bbox)_embed\.6\.", r"transformer.enc_out_\1_embed.", new)
            if new.startswith("transformer.decoder.") and "_embed.6." in new:
                continue
        original[new] = _more_rows(name, tensor, objects)
    return original


def _more_rows(name: str, tensor: np.ndarray, objects: bool) -> np.ndarray:
    """91 rows of a class head, 92 of a label embedding; the new ones are told apart by their 9s."""
    is_head, is_label = "class_embed." in name, "label_enc" in name
    if not (is_head or is_label):
        return tensor
    rows = np.full((91 + is_label, *tensor.shape[1:]), 9.0, np.float32)
    places = list(range(80)) if objects else IDS
    rows[places] = tensor[:80]
    if is_label and len(tensor) > 80:
        rows[91] = tensor[80]
    return rows
