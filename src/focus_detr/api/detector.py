"""A detector for Python programs: ``focus_detr.load(FILE)(PICTURE)``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any, overload

import numpy as np

from focus_detr.api.found import Found
from focus_detr.api.pictures import Picture, PictureSource, is_picture
from focus_detr.deploy.engine_options import EngineOptions, Precision
from focus_detr.deploy.opening import Source
from focus_detr.deploy.sidecar import SUFFIXES
from focus_detr.errors import FocusDetrError
from focus_detr.inference.session import PicturePredictor
from focus_detr.io.user_paths import path_text, user_path

# all detectors run in it, one after the other, whatever threads ask: MindSpore keeps its mode for
# each thread, and compiles in one at a time
_thread = ThreadPoolExecutor(1, thread_name_prefix="focus_detr")


class Detector:
    """Finds objects in pictures."""

    def __init__(self, predictor: PicturePredictor, threshold: float, source: str) -> None:
        """Take what ``load`` opened.

        Args:
            predictor: detects.
            threshold: score that it shows from, unless a call says otherwise.
            source: the file, for ``repr``.
        """
        self.threshold = threshold
        self._predictor = predictor
        self._source = source

    @property
    def class_names(self) -> tuple[str, ...]:
        """The name of each label."""
        return self._predictor.class_names

    def __repr__(self) -> str:
        """File and classes."""
        return f"<Detector {self._source}: {len(self.class_names)} classes>"

    @overload
    def __call__(  # type: ignore[overload-overlap]  # a path is a text, which holds texts
        self, pictures: Picture, threshold: float | None = None
    ) -> Found: ...

    @overload
    def __call__(
        self, pictures: Iterable[Picture], threshold: float | None = None
    ) -> list[Found]: ...

    def __call__(
        self, pictures: Picture | Iterable[Picture], threshold: float | None = None
    ) -> Found | list[Found]:
        """Detect.

        Args:
            pictures: a path, an array [H, W, 3] uint8 RGB or an image of Pillow; or several of
                them, also as an array [B, H, W, 3]. Each side has at least 30 pixels.
            threshold: smallest score from 0 to 1; None: the detector's.

        Returns:
            What was found; a list if several pictures were given, in their order.

        Raises:
            FocusDetrError: a picture is missing, broken or too small, or no such array; or the
                threshold is no such number.
        """
        least = self.threshold if threshold is None else threshold
        if not 0 <= least <= 1:
            raise FocusDetrError(f"the threshold is {least}, expected a number from 0 to 1")
        if is_picture(pictures):
            return self._detect([PictureSource.of(pictures)], least)[0]
        return self._detect_all(_sources(pictures), least)

    def _detect_all(self, sources: Iterable[PictureSource], threshold: float) -> list[Found]:
        """In groups of what the model takes at once, so that few pictures are in memory."""
        waiting = iter(sources)
        found: list[Found] = []
        while group := list(islice(waiting, self._predictor.batch)):
            found += self._detect(group, threshold)
        return found

    def _detect(self, sources: list[PictureSource], threshold: float) -> list[Found]:
        images = [source.read() for source in sources]
        predictions = _thread.submit(self._predictor.predict_batch, images).result()
        return [
            Found(prediction.above(threshold), _size(image), source)
            for prediction, image, source in zip(predictions, images, sources, strict=True)
        ]


def load(
    path: str | os.PathLike[str],
    *,
    device: str | None = None,
    short_side: int | None = None,
    max_side: int | None = None,
    graphs: str | os.PathLike[str] | None = None,
    tokens: bool = False,
    engine: str | None = None,
    precision: Precision | None = None,
) -> Detector:
    """Open a detector.

    Args:
        path: a checkpoint, an exported file, or the folder of several that were exported together.
        device: CPU, GPU or Ascend; None: the best that is here.
        short_side: pixels that a picture's short side is resized to; None: as trained.
        max_side: but its long one stays within; None: as trained.
        graphs: folder in which the graphs of a checkpoint, or OpenVINO's compiled models, are
            kept, so that later starts take seconds.
        tokens: refuse an exported file that does not tell which tokens it kept.
        engine: of an ONNX file, ``openvino`` or ``onnxruntime``; None: the first that is installed.
        precision: of OpenVINO, ``f32``, ``bf16`` or ``f16``; of a checkpoint on a CPU the
            first two; None: f32.

    Raises:
        FocusDetrError: the file is missing, broken or no detector, an option is not for it, what
            runs it is not installed, or there is no such device.
    """
    file = user_path(path)
    exported = file.suffix in SUFFIXES or file.is_dir()
    source = Source(
        None if exported else str(file),
        str(file) if exported else None,
        short_side,
        max_side,
        tokens=tokens,
        device=device,
        options=EngineOptions(engine, precision, None if graphs is None else path_text(graphs)),
    )
    predictor, threshold = _thread.submit(partial(source.open)).result()
    return Detector(predictor, threshold, str(file))


def _sources(pictures: Any) -> Iterator[PictureSource]:
    if not isinstance(pictures, Iterable) or isinstance(pictures, bytes):
        pictures = [pictures]  # which is refused
    for place, given in enumerate(pictures):
        yield PictureSource.of(given, place)


def _size(image: np.ndarray) -> tuple[int, int]:
    return image.shape[0], image.shape[1]
