"""Detectors that tell what they look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.looks import Looks
from focus_detr.inference.prediction import Prediction
from focus_detr.inference.predictor import Predictor
from focus_detr.io.user_paths import user_path
from focus_detr.paper.photographs import Photograph


@dataclass(frozen=True)
class NamedFile:
    """A checkpoint and what figures call it."""

    name: str
    path: Path

    @classmethod
    def parse(cls, text: str) -> NamedFile:
        """Read ``NAME=FILE``, or a file that is called by its folder, which may have a ``=``."""
        name, equals, file = text.partition("=")
        whole = user_path(text)
        if not equals or "/" in name or whole.exists():
            return cls(whole.resolve().parent.name, whole)
        return cls(name, user_path(file))


def named_files(texts: Sequence[str]) -> list[NamedFile]:
    """Read several, each as ``NamedFile.parse`` does.

    Raises:
        FocusDetrError: two of them have one name, so that figures could not tell them apart.
    """
    files = [NamedFile.parse(text) for text in texts]
    names = [file.name for file in files]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise FocusDetrError(f"two detectors are called {twice}: write NAME=FILE for one of them")
    return files


@dataclass(frozen=True)
class Seen:
    """What a detector did with a picture."""

    photograph: Photograph
    prediction: Prediction
    tokens: KeptTokens
    looks: Looks


@dataclass(frozen=True)
class Viewing:
    """How detectors see pictures; None: as they were trained, and graphs are not kept."""

    short_side: int | None = None  # pixels that it is resized to,
    max_side: int | None = None  # unless the long side would exceed this
    graphs: str | None = None  # folder of compiled graphs


AS_TRAINED = Viewing()


class WatchedDetector:
    """Detects, and tells kept tokens, scores and object tokens."""

    def __init__(self, name: str, predictor: Predictor) -> None:
        """Take a predictor with a recorder.

        Args:
            name: for figures.
            predictor: that tells its looks.
        """
        self.name = name
        self._predictor = predictor

    @classmethod
    def open(
        cls, file: NamedFile, viewing: Viewing = AS_TRAINED, *, attention: bool = False
    ) -> WatchedDetector:
        """Load a checkpoint; errors as for ``Predictor.from_checkpoint``.

        Args:
            file: the checkpoint.
            viewing: how it sees pictures.
            attention: also tell where its decoder looks.
        """
        predictor = Predictor.from_checkpoint(
            file.path,
            short_side=viewing.short_side,
            max_side=viewing.max_side,
            graphs=viewing.graphs,
            looks=True,
            attention=attention,
        )
        return cls(file.name, predictor)

    def look(self, photograph: Photograph) -> Seen:
        """Detect on a picture."""
        prediction = self._predictor.predict(photograph.pixels)
        tokens, looks = prediction.tokens, prediction.looks
        assert tokens is not None and looks is not None
        return Seen(photograph, prediction, tokens, looks)
