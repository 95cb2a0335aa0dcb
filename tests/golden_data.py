"""Golden numbers of the public torch reference: inputs rebuilt from names, results compared.

Weights, images and boxes are pure functions of a name, a shape and a seed, so the files under
``golden/`` hold only results. Tensors of models are named as in the torch state dict. Usage::

    golden = load("infer_r50_q100")
    weights = weights_from_manifest(manifest("r50"), seed=0)
    check(golden, "neck0", ours)
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

GOLDEN_DIR = Path(__file__).parent / "golden"

# a parameter that the torch model registers under several names is drawn once, under this one
_SHARED = (
    (re.compile(r"^transformer\.decoder\.(class_embed|bbox_embed)\."), r"\1."),
    (re.compile(r"^(?:enhance_MCSP_layerlist|transformer\.encoder\.enhance_MCSP)\.\d+\."), None),
)
_ENCODER_HEAD = "class_embed.6."
_SPARSE_HEAD = re.compile(r"^transformer\.encoder\.(class_embed|bbox_embed)\.(\d+)\.")
_FIRST_SPARSE_HEAD = 7  # after those of the decoder and of the proposals

Fill = Callable[[np.ndarray, float], np.ndarray]  # (draw, fan in) -> values


def _normal(scale: float, mean: float = 0.0) -> Fill:
    return lambda draw, fan_in: mean + scale * draw


def _by_fan_in(gain: float) -> Fill:
    return lambda draw, fan_in: gain / np.sqrt(fan_in) * draw


# order matters: the first pattern that matches decides
_FILLS: tuple[tuple[str, Fill], ...] = (
    (r"\.running_var$", lambda draw, fan_in: 0.8 + 0.4 * draw),
    (r"\.running_mean$", _normal(0.1)),
    (r"\.(conv3\.norm|bn3)\.weight$", lambda draw, fan_in: 0.3 * (1.0 + 0.1 * draw)),
    (r"^class_embed(\.\d+)?\.bias$", _normal(0.1, mean=-2.0)),
    (r"sampling_offsets\.weight$", _normal(0.015)),
    (r"sampling_offsets\.bias$", _normal(1.5)),
    (r"attention_weights\.weight$", _normal(0.03)),
    (r"attention_weights\.bias$", _normal(0.5)),
    (r"^transformer\.alpha$", _normal(0.3)),
    (r"^(query_embed(ding)?|tgt_embed|denoising_generator\.label_encoder)\.weight$", _normal(0.5)),
    (r"^refpoint_embed\.weight$", _normal(1.0)),
    (r"^(transformer\.(level_embeds?|tgt_embed\.weight)|label_enc\.weight)$", _normal(0.5)),
    (r"relative_position_bias_table$", _normal(0.2)),
    (r"(in_proj_weight|attn\.qkv\.weight)$", _by_fan_in(0.5)),
    (r"^class_embed(\.\d+)?\.weight$", _by_fan_in(1.0)),
    (r"^bbox_embed(\.\d+)?\.layers\.2\.weight$", _by_fan_in(0.15)),
)


def generator_for(seed: int, key: str) -> np.random.Generator:
    """Random numbers that are a function of a seed and a name."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(f"{seed}:{key}".encode())))


def _shared_name(name: str) -> str:
    sparse = _SPARSE_HEAD.match(name)
    if sparse:
        number = _FIRST_SPARSE_HEAD + int(sparse[2])
        return f"{sparse[1]}.{number}.{name[sparse.end() :]}"
    for pattern, replacement in _SHARED:
        name = pattern.sub(_ENCODER_HEAD if replacement is None else replacement, name)
    return name


def _fill_for(name: str, rank: int) -> Fill:
    for pattern, fill in _FILLS:
        if re.search(pattern, name):
            return fill
    if rank == 1 and name.endswith("weight"):
        return _normal(0.1, mean=1.0)
    if rank == 1 and name.endswith("bias"):
        return _normal(0.1)
    if rank in (2, 4) and name.endswith("weight"):
        return lambda draw, fan_in: np.sqrt(2.0 / fan_in) * draw
    raise KeyError(f"no rule fills {name} of rank {rank}")


def weight_for(name: str, shape: Iterable[int], seed: int) -> np.ndarray | None:
    """Float32 values of one torch state-dict entry; None for Swin's integer index buffers."""
    if name.endswith("relative_position_index"):
        return None
    name, shape = _shared_name(name), tuple(int(size) for size in shape)
    generator = generator_for(seed, name)
    uniform = name.endswith(".running_var")
    draw = generator.random(shape) if uniform else generator.standard_normal(shape)
    fan_in = float(np.prod(shape[1:])) if len(shape) > 1 else 0.0
    values = _fill_for(name, len(shape))(draw, fan_in)
    return np.ascontiguousarray(values.astype(np.float32))


def weights_from_manifest(manifest: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Every filled entry of a manifest, by torch name."""
    filled = {
        name: weight_for(name, entry["shape"], seed)
        for name, entry in manifest["state_dict"].items()
    }
    return {name: values for name, values in filled.items() if values is not None}


def image_for(index: int, height: int, width: int, seed: int) -> np.ndarray:
    """Uint8 RGB image [3, H, W]: random blocks of 16 pixels under pixel noise."""
    generator = generator_for(seed, f"image{index}:{height}x{width}")
    blocks = generator.integers(0, 256, (3, -(-height // 16), -(-width // 16)))
    colours = np.kron(blocks, np.ones((1, 16, 16), blocks.dtype))[:, :height, :width]
    noise = generator.integers(-40, 41, (3, height, width))
    return np.clip(colours + noise, 0, 255).astype(np.uint8)


def boxes_for(
    index: int, count: int, height: int, width: int, seed: int, num_classes: int = 80
) -> tuple[np.ndarray, np.ndarray]:
    """Corner boxes [T, 4] float32 in pixels and labels [T] int64.

    Corners lie 0.3125 beside whole pixels, where token centres are, so that rounding never
    decides whether a token lies inside a box.
    """
    generator = generator_for(seed, f"boxes{index}:{count}:{height}x{width}")
    box_width = 8 + np.floor(generator.random(count) ** 2 * (width - 16))
    box_height = 8 + np.floor(generator.random(count) ** 2 * (height - 16))
    left = np.floor(generator.random(count) * (width - box_width))
    top = np.floor(generator.random(count) * (height - box_height))
    corners = np.stack([left, top, left + box_width, top + box_height], axis=-1)
    boxes = (corners.reshape(count, 4) + 0.3125).astype(np.float32)
    return boxes, generator.integers(0, num_classes, count).astype(np.int64)


def manifest(model: str = "r50") -> dict[str, Any]:
    """Names, shapes and optimizer groups of a torch model's state dict."""
    return json.loads((GOLDEN_DIR / f"manifest_{model}.json").read_text())


def case_weights(golden: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Weights of a model case, by torch name: its seed, number of queries and tweaked tensors."""
    meta = golden["meta"]
    entries = manifest(meta["config"].removesuffix("_24ep"))["state_dict"]
    queries = meta["overrides"].get("num_queries")
    if queries is not None:
        entries["transformer.tgt_embed.weight"]["shape"][0] = queries
    weights = weights_from_manifest({"state_dict": entries}, meta["seed"])
    for name, values in meta.get("tweak", {}).items():
        weights[name] = np.asarray(values, np.float32).reshape(weights[name].shape)
    return weights


def load(case: str | Path) -> dict[str, Any]:
    """One golden file, by case name or path; ``meta`` is decoded."""
    path = GOLDEN_DIR / f"{case}.npz" if isinstance(case, str) else case
    with np.load(path) as archive:
        golden: dict[str, Any] = {key: archive[key] for key in archive.files}
    golden["meta"] = json.loads(str(golden["meta"]))
    return golden


def _statistics(values: np.ndarray) -> np.ndarray:
    exact = values.astype(np.float64)
    return np.array(
        [exact.mean(), exact.std(), np.abs(exact).max(), np.sqrt(np.square(exact).sum())]
    )


def _pair(
    golden: Mapping[str, Any], key: str, ours: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Reference values, ours at the same places, and the largest finite magnitude."""
    if key in golden:
        reference = golden[key]
        assert ours.shape == reference.shape, f"{key}: shape {ours.shape}, not {reference.shape}"
        finite = np.abs(reference[np.isfinite(reference)])
        return reference, ours, float(finite.max(initial=0.0))
    shape = tuple(golden[f"{key}/shape"])
    assert ours.shape == shape, f"{key}: shape {ours.shape}, not {shape}"
    expected = golden[f"{key}/stats"]
    np.testing.assert_allclose(
        _statistics(ours), expected, rtol=1e-3, atol=1e-4, err_msg=f"{key}: mean, std, max, norm"
    )
    sample = ours.reshape(-1)[:: int(golden[f"{key}/step"])]
    return golden[f"{key}/sample"], sample, float(expected[2])


def check(
    golden: Mapping[str, Any],
    key: str,
    values: np.ndarray,
    factor: float = 30.0,
    floor: float = 2e-6,
) -> tuple[float, float]:
    """Assert that the largest error stays below the tolerance; returns (error, tolerance).

    The tolerance is ``factor`` times the reference's own float32 noise, or ``floor`` times the
    largest magnitude if that is more. Large tensors are compared by a stored subsample and by
    their statistics.
    """
    reference, ours, largest = _pair(golden, key, np.asarray(values))
    finite = np.isfinite(reference)
    assert np.array_equal(finite, np.isfinite(ours)), f"{key}: other places are not finite"
    gap = np.abs(reference[finite].astype(np.float64) - ours[finite].astype(np.float64))
    error = float(gap.max(initial=0.0))
    tolerance = max(factor * float(golden.get(f"{key}/noise", 0.0)), floor * largest)
    assert error <= tolerance, f"{key}: error {error:.3g} exceeds {tolerance:.3g}"
    return error, tolerance


def check_set(golden: Mapping[str, Any], key: str, values: np.ndarray) -> None:
    """Assert that each image's selected tokens [B, K] are the reference's, in any order."""
    reference, ours = golden[key], np.asarray(values)
    assert len(ours) == len(reference), f"{key}: {len(ours)} images, not {len(reference)}"
    for image, (expected, found) in enumerate(zip(reference.tolist(), ours.tolist(), strict=True)):
        assert len(set(expected)) == len(expected)
        assert len(found) == len(expected), f"{key}: {len(found)} tokens, not {len(expected)}"
        differing = set(expected) ^ set(found)
        assert not differing, f"{key}: image {image}: {len(differing)} tokens differ"


def packed_mask(golden: Mapping[str, Any], key: str) -> np.ndarray:
    """A boolean mask that is stored as bits along its last axis."""
    shape = tuple(golden[f"{key}/shape"])
    bits = golden[key] if key in golden else golden[f"{key}_packed"]
    return np.unpackbits(bits, axis=-1)[..., : shape[-1]].astype(bool).reshape(shape)
