"""Parameters of the optimiser's side: copies of them for a checkpoint, and back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from mindspore import Parameter, Tensor

from focus_detr.errors import FocusDetrError


def copies(parameters: Iterable[Parameter]) -> dict[str, np.ndarray]:
    """The values by name."""
    return {p.name: np.array(p.asnumpy()) for p in parameters}


def restore(parameters: Iterable[Parameter], tensors: Mapping[str, np.ndarray]) -> None:
    """Set the parameters from what ``copies`` gave; further entries of ``tensors`` are ignored.

    Raises:
        FocusDetrError: a tensor is missing or has another shape. Nothing is changed then.
    """
    wanted = tuple(parameters)
    for parameter in wanted:
        tensor = tensors.get(parameter.name)
        if tensor is None or tuple(tensor.shape) != tuple(parameter.shape):
            found = "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
            raise FocusDetrError(
                f"optimiser state: {parameter.name} is {found}, expected shape "
                f"{tuple(parameter.shape)}; the checkpoint is from another model, or other "
                "parameters were frozen"
            )
    for parameter in wanted:
        parameter.set_data(Tensor(tensors[parameter.name], parameter.dtype))
