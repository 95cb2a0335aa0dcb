"""Detection on pictures with exported models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from focus_detr.data.buckets import Size
from focus_detr.data.visible_files import visible_files
from focus_detr.deploy.engine import Engine, open_engine
from focus_detr.deploy.engine_options import USUAL, EngineOptions
from focus_detr.deploy.sidecar import SUFFIXES, Graph, Sidecar, read_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.postprocess import Suppression, select_detections, to_detections
from focus_detr.inference.prediction import Prediction, class_name
from focus_detr.inference.preparation import Preparation, PreparedPicture


@dataclass
class ModelFile:
    """One exported file; it is loaded when its shape is first needed."""

    path: Path
    sidecar: Sidecar
    device: str | None = None
    engine: Engine | None = None
    options: EngineOptions = USUAL

    def loaded(self) -> Engine:
        """The engine with the file in it.

        Raises:
            FocusDetrError: it cannot load the file, or there is no such device.
        """
        if self.engine is None:
            self.engine = open_engine(self.path, self.sidecar.graph, self.device, self.options)
        return self.engine


class ExportedPredictor:
    """Same detections as ``inference.predictor.Predictor`` with the checkpoint of the export."""

    def __init__(self, files: Sequence[ModelFile]) -> None:
        """Take the files of one export, each for another image shape.

        Raises:
            FocusDetrError: they are of different exports, or two are for the same shape.
        """
        first = files[0]
        for file in files[1:]:
            if _without_shape(file.sidecar) != _without_shape(first.sidecar):
                raise FocusDetrError(
                    f"{first.path} and {file.path} were not exported together: keep them in "
                    "folders of their own"
                )
        self._files: dict[Size, ModelFile] = {}
        for file in files:
            other = self._files.setdefault(_shape(file.sidecar.graph), file)
            if other is not file:
                raise FocusDetrError(
                    f"{other.path} and {file.path} are for the same shape: name one"
                )
        self.sidecar = first.sidecar
        self.class_names = self.sidecar.class_names
        self.suppression = Suppression(self.sidecar.overlap_limit, self.sidecar.max_detections)
        self._prepare = Preparation(
            self.sidecar.short_side, self.sidecar.max_side, tuple(self._files)
        )

    @classmethod
    def from_path(
        cls, path: str | Path, device: str | None = None, options: EngineOptions = USUAL
    ) -> ExportedPredictor:
        """Open an exported file, or a folder with those of one export.

        Args:
            path: the file or folder.
            device: CPU, GPU or Ascend; None: the best that is here.
            options: what else is asked of the engine.

        Raises:
            FocusDetrError: nothing is there, or a file does not fit its sidecar.
        """
        files = _model_files(Path(path))
        return cls([ModelFile(file, read_sidecar(file), device, options=options) for file in files])

    @property
    def files(self) -> Mapping[Size, ModelFile]:
        """The file of each image shape (H, W)."""
        return self._files

    @property
    def batch(self) -> int:
        """Pictures to give at once; files for any number of them gain nothing from several."""
        return self.sidecar.graph.batch or 1

    @property
    def tells_tokens(self) -> bool:
        """Whether the export was asked for the kept tokens."""
        return self.sidecar.graph.token_grids is not None

    def load_first(self) -> None:
        """Load one file now, so that what is missing on this machine shows before any picture.

        Raises:
            FocusDetrError: the engine cannot load the file, or there is no such device.
        """
        next(iter(self._files.values())).loaded()

    def predict(self, image: np.ndarray) -> Prediction:
        """Detect on one picture ([H, W, 3] uint8 RGB, at least 30 pixels on each side).

        Raises:
            FocusDetrError: the picture is too small or no such array.
        """
        return self.predict_batch([image])[0]

    def predict_batch(self, images: Sequence[np.ndarray]) -> list[Prediction]:
        """Detect on any number of pictures; those of one shape share runs as the file allows.

        Args:
            images: as for ``predict``.

        Raises:
            FocusDetrError: a picture is too small or no such array.
        """
        prepared = [self._prepare(image) for image in images]
        found: dict[int, Prediction] = {}
        for shape, file in self._files.items():
            places = [index for index, item in enumerate(prepared) if item.bucket == shape]
            step = file.sidecar.graph.batch or max(len(places), 1)
            for start in range(0, len(places), step):
                chunk = places[start : start + step]
                results = self._run(file, [prepared[i] for i in chunk], [images[i] for i in chunk])
                found.update(zip(chunk, results, strict=True))
        return [found[index] for index in range(len(images))]

    def _run(
        self, file: ModelFile, prepared: Sequence[PreparedPicture], images: Sequence[np.ndarray]
    ) -> list[Prediction]:
        """Run pictures of one shape, at most as many as the file takes at once."""
        graph = file.sidecar.graph
        missing = (graph.batch or len(prepared)) - len(prepared)
        filled = [*prepared, *[prepared[-1]] * missing]
        sizes = [(image.shape[0], image.shape[1]) for image in images]
        inputs = [self._images(graph, filled), np.array([item.size for item in filled], np.int32)]
        if graph.boxes == "pixels":
            inputs.append(np.array([*sizes, *[sizes[-1]] * missing], np.int32))
        outputs = file.loaded().run(*inputs)
        return [
            self._prediction(graph, [output[row] for output in outputs], size, item.size)
            for row, (size, item) in enumerate(zip(sizes, prepared, strict=True))
        ]

    def _images(self, graph: Graph, prepared: Sequence[PreparedPicture]) -> np.ndarray:
        if graph.images == "pixels":
            return np.stack([item.padded() for item in prepared])
        mean, std = self.sidecar.pixel_mean, self.sidecar.pixel_std
        return np.stack([item.normalised(mean, std) for item in prepared])

    def _prediction(
        self, graph: Graph, rows: Sequence[np.ndarray], size: Size, seen_size: Size
    ) -> Prediction:
        """One picture's outputs; its size in the file, and as the network saw it."""
        scores, labels, boxes, *ranked = rows
        if graph.boxes == "pixels":
            detections = select_detections(scores, labels, boxes, self.suppression)
        else:
            detections = to_detections(scores, labels, boxes, size, self.suppression)
        names = tuple(class_name(label, self.class_names) for label in detections.labels)
        grids = graph.token_grids
        tokens = None if grids is None else KeptTokens(ranked[0], ranked[1], grids, seen_size)
        return Prediction(detections, names, tokens)


def _shape(graph: Graph) -> Size:
    return graph.height, graph.width


def _without_shape(sidecar: Sidecar) -> Sidecar:
    """What all files of one export have in common."""
    grids = None if sidecar.graph.token_grids is None else ()
    graph = replace(sidecar.graph, height=0, width=0, token_grids=grids)
    return replace(sidecar, file_sha256="", graph=graph)


def _model_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = visible_files(path, SUFFIXES)
    if not files:
        raise FocusDetrError(f"folder {path} has no exported model (*{', *'.join(SUFFIXES)})")
    return files
