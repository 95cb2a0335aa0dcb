"""Section 3.4 of the paper: its formulas of attention's cost beside what is computed."""

from __future__ import annotations

from dataclasses import dataclass, replace

from focus_detr.config.loading import load_config
from focus_detr.config.schema import ModelConfig
from focus_detr.models.flops import MultiplyAdds, count_multiply_adds, with_all_tokens
from focus_detr.paper.costs import COCO_CLASSES
from focus_detr.paper.published import USUAL_KEEP, keeping

TOKENS, QUERIES, OBJECTS = 10_000, 900, 300  # the paper's numbers
WIDTH, HEADS, POINTS, LEVELS = 256, 8, 4, 4
GAMMA = 0.3
PAPER_SIZE = (600, 800)  # pixels: 10,005 tokens, the paper's "about 1e4"
TEST_SIZE = (800, 1066)  # a usual size of COCO's evaluation: 17,821 tokens
PAPER_SAYS = {"encoder / decoder": 7.0, "saving at 0.3": 0.6, "object attention at 0.3": 0.025}


@dataclass(frozen=True)
class Shares:
    """One way to count."""

    how: str
    encoder_to_decoder: float  # all tokens kept
    saving: float  # of encoder and decoder together, if the encoder keeps GAMMA of its tokens
    objects_of_all: float  # object tokens' attention by the rest, all tokens kept
    objects_of_kept: float  # likewise, GAMMA kept


def deformable(tokens: float, samples: int) -> float:
    """G_DA of the paper: (KC + 3MK + C + 5K) N C with K samples for each head and token."""
    per_channel = samples * WIDTH + 3 * HEADS * samples + WIDTH + 5 * samples
    return per_channel * tokens * WIDTH


def self_attention(tokens: int) -> float:
    """2NC^2 + N^2C, of the decoder's queries and, as G_OEC, of the object tokens."""
    return 2 * tokens * WIDTH**2 + tokens**2 * WIDTH


def by_formula(samples: int) -> Shares:
    """The paper's conclusions from its formulas with its numbers.

    Args:
        samples: K; the paper's is that of one level.
    """
    dense, queries = deformable(TOKENS, samples), deformable(QUERIES, samples)
    kept, objects = GAMMA * dense, self_attention(OBJECTS)
    decoder = queries + self_attention(QUERIES)
    return Shares(
        how=f"formula, {samples} samples",
        encoder_to_decoder=dense / decoder,
        saving=1 - (kept + decoder) / (dense + decoder),
        objects_of_all=objects / (dense + queries),
        objects_of_kept=objects / (kept + queries),
    )


def implemented(height: int, width: int) -> Shares:
    """The same shares of what the network computes, feed-forward included."""
    model = load_config("focus_detr_r50_36ep").model
    kept, dense = (
        count_multiply_adds(config, COCO_CLASSES, height, width)
        for config in (keeping(model, USUAL_KEEP), with_all_tokens(model))
    )
    decoder = kept.decoder_layers + kept.decoder_sampling
    return Shares(
        how=f"implemented, {height} x {width}",
        encoder_to_decoder=_layers(dense) / decoder,
        saving=1 - (_layers(kept) + decoder) / (_layers(dense) + decoder),
        objects_of_all=kept.dual_attention / (_layers(dense) + decoder),
        objects_of_kept=kept.dual_attention / (_layers(kept) + decoder),
    )


def least_encoder(height: int, width: int) -> int:
    """What the encoder's layers compute for no tokens at all: the values of all of them."""
    model = load_config("focus_detr_r50_36ep").model
    none = replace(model.encoder, keep_ratio=1e-9, cascade=(1.0,) * model.encoder.layers)
    counts = count_multiply_adds(_without_dual(replace(model, encoder=none)), 1, height, width)
    return counts.encoder_layers


def _without_dual(model: ModelConfig) -> ModelConfig:
    return replace(model, encoder=replace(model.encoder, dual_attention=False))


def _layers(counts: MultiplyAdds) -> int:
    """The encoder's layers without the attention among object tokens."""
    return counts.encoder_layers + counts.encoder_sampling


def section_3_4() -> list[Shares]:
    """Formula with the paper's K, with 4 levels x 4 points, and the network at two sizes."""
    formulas = [by_formula(POINTS), by_formula(POINTS * LEVELS)]
    return [*formulas, implemented(*PAPER_SIZE), implemented(*TEST_SIZE)]


def section_table() -> str:
    """What the section says and ways to count the same, in Markdown."""
    header = (
        "section 3.4", "encoder by decoder", f"saving at {GAMMA:g}",
        "object tokens by the rest, all tokens kept", f"at {GAMMA:g}",
    )  # fmt: skip
    ratio, saving, objects = PAPER_SAYS.values()
    said = ("the paper says", f"about {ratio:g}", f"> {100 * saving:.0f} %", "-", f"< {objects:g}")
    lines = [header, ("---",) * len(header), said, *map(_cells, section_3_4())]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cells(shares: Shares) -> tuple[str, ...]:
    objects = (f"{shares.objects_of_all:.3f}", f"{shares.objects_of_kept:.3f}")
    return shares.how, f"{shares.encoder_to_decoder:.1f}", f"{100 * shares.saving:.0f} %", *objects
