"""An export from checkpoint to files that were proven equal to it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import mindspore as ms
import numpy as np

import focus_detr
from focus_detr.comparing.guided_detector import GuidedDetector
from focus_detr.config.schema import Config
from focus_detr.data.buckets import Size
from focus_detr.deploy.replay import replay
from focus_detr.deploy.sidecar import (
    FORMAT_VERSION,
    MINDIR,
    Graph,
    Sidecar,
    Versions,
    sidecar_path,
    write_sidecar,
)
from focus_detr.errors import FocusDetrError
from focus_detr.exporting.cells import ExportedDetector, PixelNormalisation
from focus_detr.exporting.options import ExportOptions, check_sizes
from focus_detr.exporting.proving import prove_file
from focus_detr.exporting.sampling import check_ascend_nodes, replace_sampling
from focus_detr.exporting.writing import require_packages, write_graph, write_telling
from focus_detr.inference.loading import LoadedDetector, folded_copy, load_detector
from focus_detr.inference.predictor import image_shapes
from focus_detr.io.files import sha256_of, whole_file, writing
from focus_detr.models.geometry import level_shapes
from focus_detr.ops.products_choice import plain_products

Report = Callable[[str], None]


class Exporter:
    """Writes the files of one checkpoint; each stays only if it equals the checkpoint."""

    def __init__(
        self,
        checkpoint: str | Path,
        options: ExportOptions,
        config: Config | None = None,
        report: Report = print,
    ) -> None:
        """Load the checkpoint.

        Args:
            checkpoint: weights, class names and settings.
            options: what to write.
            config: settings of network and test size instead of those in the checkpoint.
            report: takes what there is to tell.

        Raises:
            FocusDetrError: the checkpoint cannot be loaded, does not fit the settings, the choice
                of ``options.msda`` is not available, or a package is missing.
        """
        require_packages(options.out)
        self.options = options
        self.report = report
        # a file is for machines without our library, and is compared with the same operators
        with plain_products():
            loaded = _load(checkpoint, config)
            self.exported = folded_copy(loaded)
        # the network of the checkpoint as it is, so that folding is compared too
        self.reference = loaded if _runs_here(options) else None
        self.attentions = replace_sampling(self.exported.cell, options.msda)
        self.checkpoint_hash = sha256_of(checkpoint)

    def run(self, pictures: Sequence[np.ndarray]) -> list[Path]:
        """Write one file for each image shape, with its sidecar beside it.

        Args:
            pictures: [H, W, 3] uint8 RGB that file and checkpoint are compared on.

        Returns:
            The files.

        Raises:
            FocusDetrError: the format cannot hold the network, or a file differs from the
                checkpoint; then it is not there.
        """
        sizes = self.options.sizes or image_shapes(self.exported.data)
        check_sizes(sizes)
        files = [self.options.file(size, len(sizes)) for size in sizes]
        for size, file in zip(sizes, files, strict=True):
            self._export(size, file, pictures)
        return files

    def _export(self, size: Size, file: Path, pictures: Sequence[np.ndarray]) -> None:
        with writing(file):
            file.parent.mkdir(parents=True, exist_ok=True)
            place = tempfile.TemporaryDirectory(prefix=f".{file.name}.", dir=file.parent)
        with place as folder:
            draft = Path(folder) / file.name
            self._write(size, draft)
            if self.reference is not None:
                try:
                    found = self._prove(self.reference, size, draft, pictures)
                except FocusDetrError as error:
                    raise FocusDetrError(f"{file} was not kept: {error}") from error
                self.report(f"{file}: {found}")
            else:
                check_ascend_nodes(draft, self.attentions)
                self.report(f"{file}: the nodes fit; not compared, for lack of an Ascend device")
            # a sidecar that is older than its file is refused by its hash, so the order is safe
            _move(draft, file)
            _move(sidecar_path(draft), sidecar_path(file))

    def _write(self, size: Size, draft: Path) -> None:
        graph = self._graph(size)
        backbone = self.exported.model.backbone
        normalisation = None
        if graph.images == "pixels":
            normalisation = PixelNormalisation(backbone.pixel_mean, backbone.pixel_std)
        tokens = self.options.tokens
        cell = ExportedDetector(self.exported.cell, normalisation, tokens=tokens)
        write_graph(cell.set_train(False), graph, draft)
        write_sidecar(draft, self._sidecar(graph, draft))

    def _graph(self, size: Size) -> Graph:
        grids = level_shapes(*size, self.exported.model.levels) if self.options.tokens else None
        return replace(self.options.graph(size), token_grids=grids)

    def _sidecar(self, graph: Graph, draft: Path) -> Sidecar:
        model, data = self.exported.model, self.exported.data
        return Sidecar(
            format_version=FORMAT_VERSION,
            file_sha256=sha256_of(draft),
            checkpoint_sha256=self.checkpoint_hash,
            class_names=self.exported.classes.names,
            pixel_mean=model.backbone.pixel_mean,
            pixel_std=model.backbone.pixel_std,
            short_side=data.test_short_side,
            max_side=data.test_max_side,
            score_threshold=self.options.threshold,
            overlap_limit=model.overlap_limit,
            max_detections=model.max_detections,
            versions=Versions(focus_detr.__version__, ms.__version__),
            graph=graph,
        )

    def _prove(
        self, loaded: LoadedDetector, size: Size, draft: Path, pictures: Sequence[np.ndarray]
    ) -> str:
        """Run draft and checkpoint on the pictures, and say how far they are apart.

        Raises:
            FocusDetrError: too far.
        """
        telling = draft.parent / "telling" / draft.name
        telling.parent.mkdir()
        graph = self._graph(size)
        graph = replace(graph, selections=write_telling(draft.with_suffix(MINDIR), graph, telling))
        write_sidecar(telling, self._sidecar(graph, telling))
        device = self.options.replay_device
        served, told = (replay(path, pictures, path.parent, device) for path in (draft, telling))
        reference = GuidedDetector(loaded, size)
        return prove_file(reference, graph, served, told, pictures, self.options.tolerance)


def _runs_here(options: ExportOptions) -> bool:
    return options.msda != "ascend" or ms.get_context("device_target") == "Ascend"


def _load(checkpoint: str | Path, config: Config | None) -> LoadedDetector:
    loaded = load_detector(checkpoint, None if config is None else config.model, fold=False)
    return loaded if config is None else replace(loaded, data=config.data)


def _move(draft: Path, file: Path) -> None:
    with whole_file(file) as part:
        os.replace(draft, part)
