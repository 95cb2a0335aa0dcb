"""Small checkpoints written by torch 2.13, and what is in them.

``python tests/torch_files.py`` writes them anew (it needs torch).
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "weights" / "torch_files"
ZIP, LEGACY, WRAPPED, PLAIN, MODULE = (
    FOLDER / name
    for name in ("zip.pth", "legacy.pth", "wrapped.pth", "plain.pkl", "whole_module.pth")
)
BASE = np.arange(48, dtype=np.float32).reshape(6, 8) / 7
WEIGHT = np.array([[1.5, -2.0], [0.25, 4.0]], np.float32)


def state_values() -> dict[str, np.ndarray]:
    """What ZIP and LEGACY hold; the first four share one storage."""
    return {
        "transposed": np.ascontiguousarray(BASE.T),
        "strided": np.ascontiguousarray(BASE[1:5:2, ::3]),
        "tail": BASE.reshape(-1)[5:],
        "whole": BASE,
        "parameter": WEIGHT,
        "expanded": np.repeat(WEIGHT[:, :1], 3, axis=1),
        "half": WEIGHT.astype(np.float16),
        "bfloat16": WEIGHT,  # exact in bfloat16, read as float32
        "double": WEIGHT.astype(np.float64),
        "int64": np.arange(3),
        "uint8": np.arange(3, dtype=np.uint8),
        "bool": np.array([True, False]),
        "scalar": np.array(3.5, np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }


def plain_values() -> dict[str, np.ndarray]:
    """What PLAIN holds below ``model``: a pickle as detectron2 keeps its backbones."""
    return {
        "array": BASE,
        "fortran": BASE[:2, :3],
        "big_endian": WEIGHT,
        "torch": WEIGHT,
        "number": np.array(2, np.float32),
    }


def _write_states() -> None:
    import torch

    base, weight = torch.from_numpy(BASE.copy()), torch.from_numpy(WEIGHT.copy())
    values = {name: torch.from_numpy(value.copy()) for name, value in state_values().items()}
    state = {
        **values,
        "transposed": base.t(),
        "strided": base[1:5:2, ::3],
        "tail": base.flatten()[5:],
        "whole": base,
        "parameter": torch.nn.Parameter(weight),
        "expanded": weight[:, :1].expand(2, 3),
        "bfloat16": weight.bfloat16(),
    }
    torch.save(state, ZIP)
    torch.save(state, LEGACY, _use_new_zipfile_serialization=False)


def _write_wrapped() -> None:
    import torch

    network = torch.nn.Linear(2, 2, bias=False)
    network.weight.data = torch.from_numpy(WEIGHT.copy())
    torch.save(network, MODULE)
    optimizer = torch.optim.AdamW(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    network.weight.grad.zero_()
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    content = {"model": state, "optimizer": optimizer.state_dict(), "iteration": 7}
    torch.save(content, WRAPPED)


def _write_plain() -> None:
    import torch

    model = {
        **plain_values(),
        "fortran": np.asfortranarray(BASE[:2, :3]),
        "big_endian": WEIGHT.astype(">f4"),
        "torch": torch.from_numpy(WEIGHT.copy()),
        "number": np.float32(2),
    }
    content = {"model": model, "__author__": "nobody", "matching_heuristics": True}
    PLAIN.write_bytes(pickle.dumps(content, protocol=2))


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    _write_states()
    _write_wrapped()
    _write_plain()
