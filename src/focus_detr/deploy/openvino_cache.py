"""OpenVINO's compiled models, kept for later starts.

OpenVINO has a cache of its own, but that takes a damaged file for a whole one: our store looks at a
hash first.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from focus_detr.deploy.openvino_package import DEVICE, OpenVinoError, first_reason
from focus_detr.graph_cache.store import GraphStore
from focus_detr.io.files import sha256_of

_NAME = "openvino-model"
_KEPT = 16  # models: files for several shapes, precisions and numbers of threads

_log = logging.getLogger(__name__)


def compiled_model(core: Any, path: Path, settings: Mapping[str, Any], graphs: str | None) -> Any:
    """Compile a file, or take what an earlier process compiled.

    Args:
        core: of OpenVINO.
        path: the file.
        settings: for compiling.
        graphs: folder of compiled models; None: compile.

    Raises:
        OpenVinoError: OpenVINO refuses the file.
    """
    if graphs is None:
        return core.compile_model(core.read_model(path), DEVICE, settings)
    identity = _identity(core, path, settings)
    store = GraphStore(Path(graphs), identity, keep=_KEPT)
    kept = store.load(_NAME)
    if kept is not None:
        try:
            return core.import_model(io.BytesIO(kept), DEVICE, settings)
        except OpenVinoError as error:
            _log.warning("compiled again, as %s cannot be read: %s", graphs, first_reason(error))
    model = core.compile_model(core.read_model(path), DEVICE, settings)
    store.save(_NAME, model.export_model().getvalue())
    return model


def _identity(core: Any, path: Path, settings: Mapping[str, Any]) -> str:
    """What a compiled model depends on: file, settings, version, processor."""
    facts = {
        "file": sha256_of(path),
        "settings": dict(settings),
        "version": core.get_versions(DEVICE)[DEVICE].build_number,
        "processor": core.get_property(DEVICE, "FULL_DEVICE_NAME"),
        "capabilities": list(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")),
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
