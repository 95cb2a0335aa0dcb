"""Names of tensors: the public torch checkpoints' on one side, ours on the other.

One table serves both directions; every torch name has exactly one of ours. The torch model
registers its heads under several names (aliases), which fold into one canonical name first. Names
that no rule knows pass unchanged, so that a check against the model lists them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from focus_detr.errors import FocusDetrError
from focus_detr.weights.templates import both_ways

_ENCODER = "transformer.encoder.layers.#."
_DECODER = "transformer.decoder.layers.#."
DN_LABELS = "denoising_generator.label_encoder.weight"
_SCORE_MLP = "transformer.enc_mask_predictor."

_TO_OURS, _TO_TORCH = both_ways(
    (
        ("neck.convs.#.", "neck.lateral.#."),
        ("neck.extra_convs.0.", "neck.extra."),
        ("transformer.level_embeds", "level_embed"),
        ("transformer.alpha", "foreground_selector.alpha"),
        (f"{_SCORE_MLP}layer1.0.", "foreground_selector.score_mlp.norm."),
        (f"{_SCORE_MLP}layer1.1.", "foreground_selector.score_mlp.input."),
        (f"{_SCORE_MLP}layer2.0.", "foreground_selector.score_mlp.hidden1."),
        (f"{_SCORE_MLP}layer2.2.", "foreground_selector.score_mlp.hidden2."),
        (f"{_SCORE_MLP}layer2.4.", "foreground_selector.score_mlp.output."),
        ("transformer.enc_output.", "memory_projection.linear."),
        ("transformer.enc_output_norm.", "memory_projection.norm."),
        ("transformer.tgt_embed.weight", "queries.query_embed"),
        ("label_enc.weight", "label_embed"),
        (DN_LABELS, "label_embed"),
        ("query_embedding.weight", "queries.embed"),
        ("transformer.reference_points.", "queries.reference_points."),
        ("transformer.pos_trans.", "queries.box_projection."),
        ("transformer.pos_trans_norm.", "queries.norm."),
        ("tgt_embed.weight", "queries.content_embed"),
        ("refpoint_embed.weight", "queries.anchors"),
        ("class_embed.", "class_heads."),
        ("bbox_embed.", "box_heads."),
        ("transformer.decoder.ref_point_head.", "decoder.reference_head."),
        ("transformer.decoder.query_scale.", "decoder.query_scale."),
        ("transformer.decoder.norm.", "decoder.norm."),
        (f"{_ENCODER}attentions.0.attn.", "encoder.layers.#.dual_attention.attention."),
        (f"{_ENCODER}attentions.1.", "encoder.layers.#.deformable."),
        (f"{_ENCODER}attentions.0.", "encoder.layers.#.deformable."),
        (f"{_ENCODER}norm2.", "encoder.layers.#.dual_attention.norm."),
        (f"{_ENCODER}ffns.0.layers.0.0.", "encoder.layers.#.ffn.linear1."),
        (f"{_ENCODER}ffns.0.layers.1.", "encoder.layers.#.ffn.linear2."),
        (f"{_ENCODER}norms.0.", "encoder.layers.#.norm1."),
        (f"{_ENCODER}norms.1.", "encoder.layers.#.norm2."),
        (f"{_DECODER}attentions.0.attn.", "decoder.layers.#.self_attention."),
        (f"{_DECODER}attentions.1.", "decoder.layers.#.cross_attention."),
        (f"{_DECODER}ffns.0.layers.0.0.", "decoder.layers.#.ffn.linear1."),
        (f"{_DECODER}ffns.0.layers.1.", "decoder.layers.#.ffn.linear2."),
        (f"{_DECODER}norms.0.", "decoder.layers.#.norm1."),
        (f"{_DECODER}norms.1.", "decoder.layers.#.norm2."),
        (f"{_DECODER}norms.2.", "decoder.layers.#.norm3."),
    )
)

# layer and group norms are gamma and beta with us; frozen batch norms of a backbone keep theirs
_SWIN_NORM = r"backbone\.(?:patch_embed\.|layers\..*\.)?norm\d?"
_TORCH_NORM = re.compile(rf"^({_SWIN_NORM}|(?!backbone\.).*\bnorm\d?)\.(weight|bias)$")
_OUR_NORM = re.compile(r"^(.*)\.(gamma|beta)$")
_NORM_PARTS = {"weight": "gamma", "bias": "beta", "gamma": "weight", "beta": "bias"}

_HEAD_ALIAS = re.compile(r"^transformer\.decoder\.((?:class|bbox)_embed\.)")
_ENCODER_HEAD_ALIAS = re.compile(
    r"^(?:enhance_MCSP_layerlist|transformer\.encoder\.enhance_MCSP)\.\d+\."
)
_FOCUS_ATTENTION = re.compile(r"^(transformer\.encoder\.layers\.\d+\.)attentions\.1\.")
_LAYER_HEAD = re.compile(r"^((?:class|bbox)_embed\.)\d+\.")
_HEAD = re.compile(r"^(class|box)_heads\.(\d+)\.")
_ENCODER_LAYER_HEAD = re.compile(r"^encoder_heads\.(class|box)_heads\.(\d+)\.")
_DECODER_LAYER = re.compile(r"^transformer\.decoder\.layers\.(\d+)\.")
_IGNORED = re.compile(r"(^|\.)(num_batches_tracked|pixel_mean|pixel_std)$|relative_position_index$")


def is_ignored(torch_name: str) -> bool:
    """Whether an entry is a counter or constant that holds nothing of the network."""
    return _IGNORED.search(torch_name) is not None


def find_encoder_head(torch_names: Iterable[str]) -> int:
    """Index of the class head that serves the encoder: the number of decoder layers.

    Raises:
        FocusDetrError: no name belongs to a decoder layer.
    """
    layers = [int(match[1]) for match in map(_DECODER_LAYER.match, torch_names) if match]
    if not layers:
        raise FocusDetrError(
            "the checkpoint has no decoder layers, so it is no detector of this family"
        )
    return max(layers) + 1


def shares_heads(torch_names: Iterable[str]) -> bool:
    """Whether all decoder layers have one pair of heads, as in Deformable DETR without refinement.

    With refinement the torch model registers its box heads in the decoder too.
    """
    names = set(torch_names)
    refines = any(name.startswith("transformer.decoder.bbox_embed.") for name in names)
    return "query_embedding.weight" in names and not refines


def canonical(torch_name: str, encoder_head: int, shared_heads: bool = False) -> str:
    """Fold an alias of the torch model into the one name that stands for the tensor."""
    name = _HEAD_ALIAS.sub(r"\1", torch_name)
    if shared_heads:
        return _LAYER_HEAD.sub(r"\g<1>0.", name)
    return _ENCODER_HEAD_ALIAS.sub(f"class_embed.{encoder_head}.", name)


def aliases(
    torch_name: str,
    encoder_head: int,
    encoder_layers: int,
    *,
    sharing_layers: int = 1,
    two_stage: bool = True,
) -> list[str]:
    """All other names under which the torch model registers a canonical tensor.

    Args:
        torch_name: canonical.
        encoder_head: number of decoder layers.
        encoder_layers: that share the encoder's class head.
        sharing_layers: of the decoder that share the first heads.
        two_stage: the decoder registers class heads too, not its box heads alone.
    """
    if not torch_name.startswith(("class_embed.", "bbox_embed.")):
        return []
    kind, _, part = torch_name.split(".", 2)
    if sharing_layers > 1:
        return [f"{kind}.{layer}.{part}" for layer in range(1, sharing_layers)]
    names = []
    if two_stage or kind == "bbox_embed":
        names.append(f"transformer.decoder.{torch_name}")
    shared = f"class_embed.{encoder_head}."
    if torch_name.startswith(shared):
        for layer in range(encoder_layers):
            names.append(f"enhance_MCSP_layerlist.{layer}.{part}")
            names.append(f"transformer.encoder.enhance_MCSP.{layer}.{part}")
    return names


def to_our_swin(microsoft_name: str) -> str:
    """Our name of a Swin Transformer's tensor; both without ``backbone.``."""
    return _swap_norm(f"backbone.{microsoft_name}", _TORCH_NORM).removeprefix("backbone.")


def to_torch_swin(our_name: str) -> str:
    """The inverse of ``to_our_swin``."""
    return _swap_norm(our_name, _OUR_NORM)


def _swap_norm(name: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda match: f"{match[1]}.{_NORM_PARTS[match[2]]}", name)


def to_ours(torch_name: str, encoder_head: int, shared_heads: bool = False) -> str:
    """Our name of a torch tensor; a name that no rule knows comes back as it is.

    Args:
        torch_name: as in the state dict, alias or not.
        encoder_head: number of decoder layers, see ``find_encoder_head``.
        shared_heads: see ``shares_heads``.
    """
    name = canonical(torch_name, encoder_head, shared_heads)
    name = _swap_norm(_TO_OURS(name) or name, _TORCH_NORM)
    head = _HEAD.match(name)
    if head is None or int(head[2]) <= encoder_head:
        return name
    # Sparse DETR's encoder layers have heads too, behind that of the proposals
    layer = int(head[2]) - encoder_head - 1
    return f"encoder_heads.{head[1]}_heads.{layer}.{name[head.end() :]}"


def layer_head_to_torch(name: str, encoder_head: int) -> str:
    """The name of a head of Sparse DETR's encoder layers, which ``to_torch`` leaves as it is."""
    head = _ENCODER_LAYER_HEAD.match(name)
    if head is None:
        return name
    kind, number = ("class", "bbox")[head[1] == "box"], encoder_head + 1 + int(head[2])
    return f"{kind}_embed.{number}.{name[head.end() :]}"


@dataclass(frozen=True)
class TorchLayout:
    """How torch names depend on the network."""

    dense: bool = False  # an encoder layer has deformable attention only
    anchors: bool = False  # denoising queries are DN-DETR's
    shared_heads: bool = False
    two_stage: bool = True

    @staticmethod
    def of(our_names: Iterable[str]) -> TorchLayout:
        """That of a network with these tensors of ours."""
        names = set(our_names)
        focus = ("foreground_selector.alpha", "encoder.layers.0.dual_attention.")
        return TorchLayout(
            dense=not any(name.startswith(focus) for name in names),
            anchors="queries.anchors" in names,
            shared_heads="class_heads.1.weight" not in names,
            two_stage="memory_projection.norm.gamma" in names,
        )


def to_torch(our_name: str, layout: TorchLayout = TorchLayout()) -> str:
    """Canonical torch name of one of our tensors, the inverse of ``to_ours``."""
    if our_name == "label_embed" and layout.anchors:
        return DN_LABELS
    name = _swap_norm(our_name, _OUR_NORM)
    torch_name = _TO_TORCH(name) or name
    if layout.dense:
        return _FOCUS_ATTENTION.sub(r"\1attentions.0.", torch_name)
    return torch_name
