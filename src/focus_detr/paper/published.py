"""What was published for the family: AP, and what the Focus-DETR paper says of weights and costs.

AP is of COCO val2017; the heads of the settings files say by whom. None of it was measured here.
Where the copy that was read has lost digits, only those that survive count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from focus_detr.config.schema import ModelConfig
from focus_detr.errors import FocusDetrError
from focus_detr.wording import close_names, did_you_mean

USUAL_KEEP = 30  # percent
_CLOSE = 5  # rows that are offered for an unknown name
# table 7: share of the tokens that each of six layers keeps, by the mean in percent. For 10 five
# numbers are printed, where six are needed
LAYER_SHARES: Mapping[int, tuple[float, ...]] = {
    10: (0.1, 0.1, 0.1, 0.1, 0.1, 0.1),
    20: (0.3, 0.3, 0.2, 0.2, 0.1, 0.1),
    30: (0.5, 0.4, 0.3, 0.3, 0.2, 0.1),
    40: (0.65, 0.55, 0.45, 0.35, 0.25, 0.15),
    50: (0.75, 0.65, 0.55, 0.45, 0.35, 0.25),
}


@dataclass(frozen=True)
class Published:
    """One detector at one keep ratio; None: not said, or lost."""

    settings: str  # of this package
    keep: int | None = None  # percent of the tokens that layers keep on average; None: all
    ap: float | None = None
    weights: float | None = None  # millions
    gflops: float | None = None  # multiply-adds, billions
    encoder: float | None = None  # likewise, of figure 2
    decoder: float | None = None

    @property
    def name(self) -> str:
        """Settings, and the keep ratio where there is one."""
        return self.settings if self.keep is None else f"{self.settings}@{self.keep}"


_FOCUS, _DINO = "focus_detr_r50_36ep", "family/dino_r50_36ep"
_BY_KEEP: Mapping[str, tuple[float, ...]] = {  # AP at 10, 20, 30, 40 and 50 %, table 6
    _FOCUS: (48.9, 49.8, 50.4, 50.4, 50.5),
    "family/dino_sparse_r50_36ep": (47.5, 47.9, 48.2, 48.4, 48.4),
    "family/sparse_detr_r50_50ep": (45.3, 45.6, 46.0, 46.2, 46.3),
}
_AT_30: Mapping[str, float | None] = {
    "focus_detr_r101_36ep": 51.4,
    "focus_detr_swin_tiny_36ep": 52.5,
    "focus_detr_swin_base_224_36ep": 56.0,
    "focus_detr_swin_base_384_36ep": 56.2,
    "focus_detr_swin_large_36ep": 56.3,
    "family/dino_sparse_dual_r50_36ep": 48.5,
    "family/sparse_detr_dual_r50_50ep": 46.3,
    "family/deformable_detr_focus_r50_50ep": 45.2,
    "family/deformable_detr_sparse_r50_50ep": 43.5,
    "family/deformable_detr_sparse_dual_r50_50ep": 43.5,
    "family/deformable_detr_two_stage_focus_r50_50ep": None,
    "family/dn_deformable_detr_focus_r50_50ep": 48.5,
    "family/dn_deformable_detr_sparse_r50_50ep": 47.4,
    "family/dn_deformable_detr_sparse_dual_r50_50ep": 47.3,
}
_ALL_TOKENS: Mapping[str, float] = {
    "family/deformable_detr_r50_50ep": 44.9,
    "family/deformable_detr_refine_r50_50ep": 47.0,
    "family/deformable_detr_two_stage_r50_50ep": 48.2,
    "family/efficient_detr_r50_50ep": 46.0,
    "family/dn_deformable_detr_r50_50ep": 49.5,
    _DINO: 50.9,
    "family/dino_r50_5scale_12ep": 49.6,
    "family/align_detr_r50_24ep": 51.4,
    "family/dac_detr_r50_24ep": 52.1,
}
_TOLD: Mapping[str, Mapping[str, float]] = {  # by the paper: text, table 1, figure 2, table 9
    f"{_FOCUS}@10": {"gflops": 128},
    f"{_FOCUS}@30": {"gflops": 154, "weights": 48, "encoder": 49, "decoder": 20},
    _DINO: {"gflops": 279, "weights": 47, "encoder": 142, "decoder": 20},
    "family/dino_sparse_r50_36ep@30": {"weights": 47},
    "family/deformable_detr_refine_r50_50ep": {"encoder": 142, "decoder": 16},
    "focus_detr_r101_36ep@30": {"weights": 67},
    "focus_detr_swin_tiny_36ep@30": {"weights": 49},
    "focus_detr_swin_base_224_36ep@30": {"weights": 109},
    "focus_detr_swin_base_384_36ep@30": {"weights": 109},
}


def published_rows() -> list[Published]:
    """Every detector of the family, with all the keep ratios for which there is an AP."""
    rows = [Published(name, ap=ap) for name, ap in _ALL_TOKENS.items()]
    for name, values in _BY_KEEP.items():
        pairs = zip(LAYER_SHARES, values, strict=True)
        rows += [Published(name, keep, ap) for keep, ap in pairs]
    rows += [Published(name, USUAL_KEEP, ap) for name, ap in _AT_30.items()]
    return [replace(row, **_TOLD.get(row.name, {})) for row in rows]  # type: ignore[arg-type]


def find_rows(names: list[str]) -> list[Published]:
    """Rows by name, such as ``focus_detr_r50_36ep@30``; all of them without names.

    Raises:
        FocusDetrError: there is no row of that name; says which are close, or all.
    """
    rows = {row.name: row for row in published_rows()}
    for name in names:
        if name not in rows:
            raise FocusDetrError(_unknown(name, list(rows)))
    return [rows[name] for name in names or rows]


def _unknown(name: str, rows: list[str]) -> str:
    """Figures leave ``family/`` out, and a network with keep ratios has a row for each."""
    started = [row for row in rows if row.removeprefix("family/").startswith(name)]
    close = close_names(name, rows, _CLOSE) + close_names(f"family/{name}", rows, _CLOSE)
    meant = list(dict.fromkeys(started or close))[:_CLOSE]
    offered = f"; {did_you_mean(meant)}" if meant else f", only {', '.join(rows)}"
    return f"there is no row {name}{offered}"


def keeping(model: ModelConfig, keep: int | None) -> ModelConfig:
    """A network whose encoder layers keep this percentage on average (table 7).

    Raises:
        FocusDetrError: the table has no such percentage, or the encoder has other than six layers.
    """
    if keep is None:
        return model
    if keep not in LAYER_SHARES:
        known = ", ".join(map(str, LAYER_SHARES))
        raise FocusDetrError(f"table 7 has the keep ratios {known} percent, not {keep}")
    encoder = model.encoder
    if encoder.layers != len(LAYER_SHARES[keep]):
        raise FocusDetrError(f"table 7 is of six encoder layers, not of {encoder.layers}")
    if model.foreground_selector.kind == "sparse":
        ratio, cascade = keep / 100, (1.0,) * encoder.layers
    else:
        ratio = LAYER_SHARES[keep][0]
        # rounded, so that the row of the release is its own [1, .8, .6, .6, .4, .2] to the last bit
        cascade = tuple(round(share / ratio, 6) for share in LAYER_SHARES[keep])
    return replace(model, encoder=replace(encoder, keep_ratio=ratio, cascade=cascade))
