"""Training, evaluation and export for Python programs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from focus_detr.config.loading import load_config
from focus_detr.data.buckets import Size
from focus_detr.deploy.engine_options import EngineOptions, Precision
from focus_detr.errors import FocusDetrError
from focus_detr.evaluation.coco_metrics import CocoResult
from focus_detr.evaluation.request import EvaluationRequest
from focus_detr.exporting.options import ExportOptions
from focus_detr.exporting.request import export_checkpoint
from focus_detr.io.user_paths import path_text, user_path
from focus_detr.training.request import TrainingRequest
from focus_detr.training.run_folder import RunFolder
from focus_detr.training.stop_signal import TrainingStopped

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    folder: Path  # train.output_dir
    weights: Path  # to detect with: those of the highest AP; the last ones if none was measured
    last: Path  # the state to go on from
    ap: float | None  # of ``weights``, in 0..1; None: none was measured
    steps: int  # updates in all


def train(
    config: StrPath,
    *,
    resume: bool = False,
    device: str | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> Trained:
    """Train a detector, as ``focus-detr train`` does.

    Args:
        config: settings: a YAML file, or the name of settings of the package.
        resume: go on from the output folder's state, if there is one.
        device: CPU, GPU or Ascend; None: the best that is here.
        progress: whether to draw progress bars; None: on a terminal only.
        **settings: changes to them, such as ``**{"train.batch_size": 1}``.

    Raises:
        FocusDetrError: bad settings, data or weights, the output folder holds a run already, or
            the loss is not finite.
        KeyboardInterrupt: Ctrl-C; the state is saved, and ``resume`` goes on.
    """
    file, changes = path_text(config), overrides(settings)
    request = TrainingRequest(file, changes, resume, device, progress)
    try:
        state = request.run()
    except TrainingStopped as stopped:
        raise KeyboardInterrupt(str(stopped)) from stopped
    folder = RunFolder(Path(load_config(file, changes).train.output_dir))
    weights = folder.best if folder.best.exists() else folder.last
    return Trained(folder.path, weights, folder.last, state.best, state.step)


def evaluate(
    config: StrPath | None = None,
    checkpoint: StrPath | None = None,
    *,
    results: StrPath | None = None,
    annotations: StrPath | None = None,
    batch_size: int | None = None,
    results_out: StrPath | None = None,
    device: str | None = None,
    progress: bool = False,
    model: StrPath | None = None,
    engine: str | None = None,
    precision: Precision | None = None,
    graphs: StrPath | None = None,
    **settings: Any,
) -> CocoResult:
    """Measure a detector on the validation data, or detections that were saved before.

    Args:
        config: settings: a YAML file, or the name of settings of the package.
        checkpoint: weights to evaluate.
        results: saved detections, which are compared without a network.
        annotations: what ``results`` are compared with.
        batch_size: pictures at once; None: as the settings say.
        results_out: file that gets the detections.
        device: CPU, GPU or Ascend; None: the best that is here.
        progress: whether to draw a bar.
        model: an exported file, or the folder of several, to evaluate instead of a checkpoint.
        engine: of an ONNX file, ``openvino`` or ``onnxruntime``; None: the first that is installed.
        precision: of OpenVINO, ``f32``, ``bf16`` or ``f16``; of a checkpoint on a CPU the
            first two; None: f32.
        graphs: folder in which compiled graphs are kept.
        **settings: changes to ``config``, such as ``**{"data.workers": 0}``.

    Returns:
        ``metrics`` by name (``AP``, ``AP50``, ...) in 0..1, ``per_class`` and ``speed``.

    Raises:
        FocusDetrError: arguments that do not go together, bad settings, weights, data or
            detections, or no such device.
    """
    request = EvaluationRequest(
        config=_path(config),
        checkpoint=_path(checkpoint),
        batch_size=batch_size,
        results_out=_path(results_out),
        overrides=overrides(settings),
        results=_path(results),
        annotations=_path(annotations),
        device=device,
        model=_path(model),
        options=EngineOptions(engine, precision, _path(graphs)),
    )
    result = request.measure(progress)
    if result is None:
        raise FocusDetrError("of several workers, only the first has the numbers")
    return result


def export(
    checkpoint: StrPath,
    out: StrPath,
    *,
    config: StrPath | None = None,
    sizes: Sequence[Size] = (),
    batch: int | None = 1,
    images: Literal["pixels", "normalised"] = "pixels",
    boxes: Literal["pixels", "unit"] = "pixels",
    msda: Literal["composition", "custom", "ascend"] = "composition",
    tokens: bool = False,
    threshold: float = 0.3,
    pictures: Sequence[StrPath] = (),
    tolerance: float = 1e-4,
    device: str | None = None,
    **settings: Any,
) -> list[Path]:
    """Write a detector as a file that serves, compared with its checkpoint before it stays.

    Args:
        checkpoint: weights to export.
        out: NAME.mindir or NAME.onnx; a file for each of several sizes has it in its name.
        config: settings instead of those in the checkpoint.
        sizes: (height, width) of the network's input; none: all of the settings.
        batch: pictures at once; None: any number, in ONNX.
        images: what goes in.
        boxes: what comes out.
        msda: deformable attention of ordinary operations, or as an operator of ours.
        tokens: whether the file also tells which tokens were kept.
        threshold: score that it is usually shown from.
        pictures: files and folders to compare on; none: drawn pictures.
        tolerance: largest difference allowed.
        device: CPU, GPU or Ascend; None: the best that is here.
        **settings: changes to ``config``.

    Returns:
        The files; each has a NAME.json beside it, which belongs to it.

    Raises:
        FocusDetrError: something cannot be read or used, or a file differs from the checkpoint.
    """
    options = ExportOptions(
        out=user_path(out),
        sizes=tuple(sizes),
        batch=batch,
        images=images,
        boxes=boxes,
        msda=msda,
        tokens=tokens,
        threshold=threshold,
        tolerance=tolerance,
        device=device,
    )
    return export_checkpoint(
        user_path(checkpoint),
        options,
        config=_path(config),
        overrides=overrides(settings),
        pictures=[user_path(path) for path in pictures],
    )


def overrides(settings: Mapping[str, Any]) -> list[str]:
    """Settings of a Python program as the command line has them: ``key=value``.

    Raises:
        FocusDetrError: a value that no setting can have.
    """
    return [f"{key}={_as_yaml(key, value)}" for key, value in settings.items()]


def _as_yaml(key: str, value: Any) -> str:
    """JSON, which YAML reads too."""
    plain = os.fspath(value) if isinstance(value, os.PathLike) else value
    try:
        return json.dumps(plain, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise FocusDetrError(f"{key} is {value!r}, which no setting can be") from error


def _path(given: StrPath | None) -> str | None:
    return None if given is None else path_text(given)
