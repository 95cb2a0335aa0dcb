"""Running an exported ONNX file with OpenVINO on a CPU; needs no MindSpore."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from focus_detr.deploy.engine_options import PRECISIONS, Precision
from focus_detr.deploy.onnx_file import refuse_other_device, refuse_other_tensors
from focus_detr.deploy.openvino_cache import ModelCompiler
from focus_detr.deploy.openvino_package import DEVICE, OpenVinoError, first_reason, load_openvino
from focus_detr.deploy.openvino_sampling import sampling_library
from focus_detr.deploy.sidecar import INPUTS, Graph, Inputs
from focus_detr.errors import FocusDetrError
from focus_detr.process.onednn_cap import without_our_cap
from focus_detr.process.runtime import thread_limit

Answer = TypeVar("Answer")

_CAPABILITIES = {"f32": "FP32", "bf16": "BF16", "f16": "FP16"}  # of a processor


class OpenVinoEngine:
    """A model that OpenVINO has compiled; several threads may call it."""

    def __init__(
        self,
        path: Path,
        graph: Graph,
        device: str | None = None,
        *,
        precision: Precision = "f32",
        graphs: str | None = None,
        as_written: bool = False,
    ) -> None:
        """Load a file.

        Args:
            path: the file.
            graph: what its sidecar says.
            device: None or CPU.
            precision: that it computes in.
            graphs: folder of compiled models, so that later starts need not compile.
            as_written: whether it runs the file's own operators, even where our native library has
                a quicker one.

        Raises:
            FocusDetrError: OpenVINO is not installed or refuses the file, the file takes or gives
                other tensors than its sidecar says, the device is no CPU, or the processor cannot
                compute in that precision.
        """
        refuse_other_device(path, device)
        try:
            model = _in_a_thread(lambda: _compiled(path, precision, graphs, as_written))
            self._request = model.create_infer_request()
        except OpenVinoError as error:
            raise FocusDetrError(f"OpenVINO cannot load {path}: {first_reason(error)}") from error
        given = [name for item in model.outputs for name in item.names]
        refuse_other_tensors(path, graph, _inputs(model), given)
        self._path, self._outputs = path, graph.outputs
        self._lock = threading.Lock()

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        """Compute the outputs.

        Raises:
            FocusDetrError: OpenVINO cannot compute them.
        """
        named = dict(zip(INPUTS, inputs, strict=False))
        with self._lock:
            try:
                self._request.infer(named)
            except OpenVinoError as error:
                reason = first_reason(error)
                raise FocusDetrError(f"OpenVINO cannot run {self._path}: {reason}") from error
            # copies, as the next run writes into the same memory
            tensors = [self._request.get_tensor(name) for name in self._outputs]
            return tuple(np.array(tensor.data) for tensor in tensors)


def _in_a_thread(work: Callable[[], Answer]) -> Answer:
    """What ``work`` gives, computed where no signal arrives.

    OpenVINO 2026.4 gives the thread that loads its plugin another stack for signals, and frees that
    memory with the plugin: in the main thread the next Ctrl-C would kill the process. Its oneDNN
    reads the variable that limits MindSpore's; with ours, bf16 models do not load.
    """
    with without_our_cap(), ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(work).result()


def _compiled(path: Path, precision: Precision, graphs: str | None, as_written: bool) -> Any:
    module = load_openvino(path)
    core = module.Core()
    _refuse_precision(core, precision)
    library = None if as_written else sampling_library()
    return ModelCompiler(module, core, _settings(precision), library).compiled(path, graphs)


def _settings(precision: Precision) -> dict[str, Any]:
    settings: dict[str, Any] = {
        # or OpenVINO takes bf16 wherever the processor has it
        "INFERENCE_PRECISION_HINT": precision,
        "PERFORMANCE_HINT": "LATENCY",
        # or two programs wait for the same core while others idle
        "ENABLE_CPU_PINNING": False,
    }
    if limit := thread_limit():
        settings["INFERENCE_NUM_THREADS"] = limit
    return settings


def offered_precisions() -> tuple[Precision, ...]:
    """Those that this processor computes in.

    Raises:
        FocusDetrError: OpenVINO is not installed.
    """
    module = load_openvino()
    return _in_a_thread(lambda: _offered(module.Core()))


def _offered(core: Any) -> tuple[Precision, ...]:
    known = core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    return tuple(name for name in PRECISIONS if _CAPABILITIES[name] in known)


def _refuse_precision(core: Any, precision: Precision) -> None:
    """Refuse what OpenVINO would ignore without a word, computing in float32."""
    if precision in _offered(core):
        return
    name = core.get_property(DEVICE, "FULL_DEVICE_NAME")
    raise FocusDetrError(
        f"this processor ({name}) does not compute in {precision}, and OpenVINO would take f32 "
        "instead: leave --precision out"
    )


def _inputs(model: Any) -> Inputs:
    """What a model takes; an open dimension is a range there."""
    return {
        item.any_name: (
            tuple(
                size.get_length() if size.is_static else None for size in item.get_partial_shape()
            ),
            str(item.get_element_type().to_dtype()),
        )
        for item in model.inputs
    }
