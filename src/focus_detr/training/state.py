"""What a run leaves on disk: the state to go on from, and the best weights.

``last.safetensors`` holds the model's tensors, the optimiser's (``optimizer.*``) and, as metadata,
where the run stands. Order, augmentation and noise are functions of the seed and the position, so
these numbers are the whole random state. ``best.safetensors`` holds the model's tensors alone, and
so does ``averaged.safetensors``: the moving average of the weights, if there is one.
"""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from mindspore import nn

from focus_detr.errors import FocusDetrError
from focus_detr.io.files import whole_file, writing
from focus_detr.training.run_folder import RunFolder
from focus_detr.weights.checkpoint import load_checkpoint, load_into, model_tensors, save_checkpoint
from focus_detr.weights.stored_settings import DETECTION_ONLY, differences, stored_model

_STATE_KEY = "training_state"


@dataclass(frozen=True)
class TrainingState:
    """Where a run stands between two steps."""

    seed: int
    batches_per_epoch: int
    epoch: int = 0  # the one under way, from 0
    batch: int = 0  # batches of it that are done
    best: float | None = None  # AP of best.safetensors; None: none was measured

    @property
    def step(self) -> int:
        """Updates done."""
        return self.epoch * self.batches_per_epoch + self.batch


class Stateful(Protocol):
    """The optimiser's side of a training step."""

    def state(self) -> dict[str, np.ndarray]:
        """Copies of its tensors, by name."""

    def load_state(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Restore what ``state`` gave."""


def save_weights(
    path: Path, model: nn.Cell, description: Mapping[str, object], state: TrainingState
) -> None:
    """Write the model's tensors alone.

    Args:
        path: file to write; it is replaced whole or not at all.
        model: whose tensors to write.
        description: further metadata: class names, category ids, model settings.
        state: where the run stands, for the record.
    """
    save_checkpoint(path, model_tensors(model), _metadata(description, state))


def save_state(
    path: Path,
    model: nn.Cell,
    optimizer: Stateful,
    description: Mapping[str, object],
    state: TrainingState,
) -> None:
    """Write everything a run needs to go on; arguments as for ``save_weights``."""
    tensors = {**model_tensors(model), **optimizer.state()}
    save_checkpoint(path, tensors, _metadata(description, state))


def keep_last(folder: RunFolder, step: int, count: int) -> None:
    """Keep the state just saved under a name of its own, and only the ``count`` latest such.

    Raises:
        FocusDetrError: the folder cannot be written.
    """
    path = folder.kept / f"step_{step:08d}.safetensors"
    with whole_file(path) as part:
        # no link: going on from an earlier state copies that over the last one, as `cp` does it
        # into the same file
        shutil.copy2(folder.last, part)
    # by time: a run that went on from an earlier state has higher numbers left of before
    kept = sorted(folder.kept.glob("step_*.safetensors"), key=_age)
    for old in kept[:-count]:
        with writing(old):
            old.unlink(missing_ok=True)


def _age(path: Path) -> tuple[int, str]:
    return path.stat().st_mtime_ns, path.name


def load_state(
    path: Path, model: nn.Cell, optimizer: Stateful, description: Mapping[str, object]
) -> TrainingState:
    """Restore model and optimiser from ``save_state``'s file.

    Args:
        path: file to read.
        model: to fill.
        optimizer: to fill.
        description: what would be saved now; classes and network settings must be the file's.

    Raises:
        FocusDetrError: the file is missing, damaged, without a state, or from another network or
            other classes.
    """
    checkpoint = load_checkpoint(path)
    state = _parse_state(path, checkpoint.metadata)
    _refuse_other_classes(path, checkpoint.metadata, description)
    _refuse_other_network(path, checkpoint.metadata, description)
    load_into(model, checkpoint)
    optimizer.load_state(checkpoint.tensors)
    return state


def with_record(state: TrainingState, best: Path) -> TrainingState:
    """The state with the AP of the best weights, if that is higher than its own.

    A run that goes on from an earlier state would otherwise replace them by worse ones.

    Args:
        state: to go on from.
        best: file of the best weights; one that is missing or damaged says nothing.
    """
    with suppress(FocusDetrError):
        record = _parse_state(best, load_checkpoint(best).metadata).best
        if record is not None and (state.best is None or record > state.best):
            return replace(state, best=record)
    return state


def fingerprint(model: nn.Cell) -> int:
    """A checksum of the model's tensors, equal for equal weights."""
    total = 0
    for name, tensor in sorted(model_tensors(model).items()):
        total = zlib.crc32(np.ascontiguousarray(tensor).tobytes(), zlib.crc32(name.encode(), total))
    return total


def _metadata(description: Mapping[str, object], state: TrainingState) -> dict[str, object]:
    return {**description, _STATE_KEY: asdict(state)}


def _refuse_other_classes(
    path: Path, stored: Mapping[str, object], description: Mapping[str, object]
) -> None:
    for key in ("class_names", "category_ids"):
        if stored.get(key) != description.get(key):
            raise FocusDetrError(
                f"{path} was trained with the {key.replace('_', ' ')} {stored.get(key)}, but the "
                f"training file now has {description.get(key)}"
            )


def _refuse_other_network(
    path: Path, metadata: Mapping[str, object], description: Mapping[str, object]
) -> None:
    """Equal shapes are not enough: the cascade, for example, has no tensors."""
    stored, used = stored_model(metadata, str(path)), stored_model(description, "the settings")
    different = differences(stored, used) if stored and used else ()
    decisive = [difference for difference in different if difference.name not in DETECTION_ONLY]
    if decisive:
        raise FocusDetrError(
            f"{path} was trained with {decisive[0]}; to start another network from its weights "
            "set train.init_checkpoint"
        )


def _parse_state(path: Path, metadata: Mapping[str, object]) -> TrainingState:
    stored = metadata.get(_STATE_KEY)
    names = {field.name for field in fields(TrainingState)}
    if not isinstance(stored, Mapping) or set(stored) != names:
        raise FocusDetrError(
            f"{path} has no {_STATE_KEY} that training could go on from; to start from its weights "
            "set train.init_checkpoint"
        )
    return TrainingState(**stored)
