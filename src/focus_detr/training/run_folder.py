"""Where the files of a run are; without MindSpore, for the launcher that starts its workers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.training.line_file import refuse_second_writer


@dataclass(frozen=True)
class RunFolder:
    """The files of a run."""

    path: Path

    @property
    def last(self) -> Path:
        """The state to go on from."""
        return self.path / "last.safetensors"

    @property
    def best(self) -> Path:
        """The weights with the highest AP so far; the latest ones while none was measured."""
        return self.path / "best.safetensors"

    @property
    def averaged(self) -> Path:
        """The moving average of the weights."""
        return self.path / "averaged.safetensors"

    @property
    def kept(self) -> Path:
        """Folder of earlier states."""
        return self.path / "checkpoints"

    @property
    def config(self) -> Path:
        """The settings of the run."""
        return self.path / "config.yaml"

    @property
    def record(self) -> Path:
        """What it takes to repeat the run."""
        return self.path / "run.json"

    @property
    def log(self) -> Path:
        """The lines of the terminal; locked while a run writes here."""
        return self.path / "log.txt"

    def has_run(self) -> bool:
        """Whether a run has saved anything here.

        Raises:
            FocusDetrError: there can be no such folder, or it cannot be looked into.
        """
        try:
            return self.last.exists() or self.best.exists()
        except OSError as error:
            raise FocusDetrError(
                f"train.output_dir {self.path} cannot be used: {error.strerror}"
            ) from error

    def refuse_second_run(self) -> None:
        """Let a run begin or go on here only while no other one trains here.

        For the process that is to write, or the one that starts it.

        Raises:
            FocusDetrError: one does.
        """
        refuse_second_writer(self.log)

    def refuse_overwriting(self, resume: bool) -> None:
        """Let a run begin here only if there is none, or go on with it.

        Args:
            resume: whether it is to go on.

        Raises:
            FocusDetrError: there is one, which a new one would overwrite, or there can be none.
        """
        if self.has_run() and not resume:
            raise FocusDetrError(
                f"{self.path} already holds a run; add --resume to go on with it or set another "
                "train.output_dir"
            )
