"""Names of tensors: the public torch checkpoints' on one side, ours on the other.

Both directions are tables of regular expressions; every torch name maps to exactly one of ours and
back. Aliases (tensors that the torch model registers twice) fold into one canonical name first.
"""

from __future__ import annotations

import re

ALIASES: tuple[tuple[str, str], ...] = (
    (r"^transformer\.decoder\.(class_embed|bbox_embed)\.", r"\1."),
    (r"^enhance_MCSP_layerlist\.\d+\.", "class_embed.{encoder_head}."),
    (r"^transformer\.encoder\.enhance_MCSP\.\d+\.", "class_embed.{encoder_head}."),
)

# (torch prefix or infix, ours); applied in order, the first match of each stage wins
_PREFIXES: tuple[tuple[str, str], ...] = (
    (r"^neck\.convs\.(\d+)\.", r"neck.lateral.\1."),
    (r"^neck\.extra_convs\.0\.", r"neck.extra."),
    (r"^transformer\.level_embeds$", r"level_embed"),
    (r"^transformer\.alpha$", r"foreground_selector.alpha"),
    (r"^transformer\.enc_mask_predictor\.layer1\.0\.", r"foreground_selector.score_mlp.norm."),
    (r"^transformer\.enc_mask_predictor\.layer1\.1\.", r"foreground_selector.score_mlp.input."),
    (r"^transformer\.enc_mask_predictor\.layer2\.0\.", r"foreground_selector.score_mlp.hidden1."),
    (r"^transformer\.enc_mask_predictor\.layer2\.2\.", r"foreground_selector.score_mlp.hidden2."),
    (r"^transformer\.enc_mask_predictor\.layer2\.4\.", r"foreground_selector.score_mlp.output."),
    (r"^transformer\.enc_output\.", r"memory_projection.linear."),
    (r"^transformer\.enc_output_norm\.", r"memory_projection.norm."),
    (r"^transformer\.tgt_embed\.weight$", r"proposals.query_embed"),
    (r"^label_enc\.weight$", r"label_embed"),
    (r"^class_embed\.", r"class_heads."),
    (r"^bbox_embed\.", r"box_heads."),
    (r"^transformer\.decoder\.ref_point_head\.", r"decoder.reference_head."),
    (r"^transformer\.decoder\.norm\.", r"decoder.norm."),
    (r"^transformer\.encoder\.layers\.(\d+)\.", r"encoder.layers.\1."),
    (r"^transformer\.decoder\.layers\.(\d+)\.", r"decoder.layers.\1."),
)
_LAYER_PARTS: tuple[tuple[str, str], ...] = (
    (r"^(encoder\.layers\.\d+)\.attentions\.0\.attn\.", r"\1.dual_attention.attention."),
    (r"^(encoder\.layers\.\d+)\.attentions\.1\.", r"\1.deformable."),
    (r"^(encoder\.layers\.\d+)\.norm2\.", r"\1.dual_attention.norm."),
    (r"^(decoder\.layers\.\d+)\.attentions\.0\.attn\.", r"\1.self_attention."),
    (r"^(decoder\.layers\.\d+)\.attentions\.1\.", r"\1.cross_attention."),
    (r"^(\w+\.layers\.\d+)\.ffns\.0\.layers\.0\.0\.", r"\1.ffn.linear1."),
    (r"^(\w+\.layers\.\d+)\.ffns\.0\.layers\.1\.", r"\1.ffn.linear2."),
    (r"^(\w+\.layers\.\d+)\.norms\.0\.", r"\1.norm1."),
    (r"^(\w+\.layers\.\d+)\.norms\.1\.", r"\1.norm2."),
    (r"^(\w+\.layers\.\d+)\.norms\.2\.", r"\1.norm3."),
)
# layer and group norms are gamma and beta with us; frozen batch norms of the backbone keep theirs
_NORM = re.compile(r"^(?!backbone\.)(.*\bnorm\d?)\.(weight|bias)$")
