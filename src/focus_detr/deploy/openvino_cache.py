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
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from focus_detr.deploy.openvino_package import DEVICE, OpenVinoError, first_reason
from focus_detr.deploy.openvino_sampling import operator, replace_samplings
from focus_detr.graph_cache.store import GraphStore
from focus_detr.io.files import sha256_of

_NAME = "openvino-model"
_KEPT = 16  # models: files for several shapes, precisions and numbers of threads

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelCompiler:
    """Compiles files."""

    module: ModuleType  # OpenVINO
    core: Any  # of it
    settings: Mapping[str, Any]  # for compiling
    library: Path | None  # for deformable sampling; None: as the file has it

    def compiled(self, path: Path, graphs: str | None) -> Any:
        """Compile a file, or take what an earlier process compiled.

        Args:
            path: the file.
            graphs: folder of compiled models; None: compile.

        Raises:
            OpenVinoError: OpenVINO refuses the file.
        """
        if graphs is None:
            return self._compile(path)
        store = GraphStore(Path(graphs), self._identity(path), keep=_KEPT)
        kept = store.load(_NAME)
        if kept is not None:
            try:
                return self._import(kept)
            except OpenVinoError as error:
                reason = first_reason(error)
                _log.warning("compiled again, as %s cannot be read: %s", graphs, reason)
        model = self._compile(path)
        store.save(_NAME, model.export_model().getvalue())
        return model

    def _compile(self, path: Path) -> Any:
        model = self.core.read_model(path)
        if self.library is not None:
            replace_samplings(self.module, model, self.library)
        return self.core.compile_model(model, DEVICE, self.settings)

    def _import(self, kept: bytes) -> Any:
        if self.library is not None:
            self.core.add_extension(operator(self.module))
        return self.core.import_model(io.BytesIO(kept), DEVICE, self.settings)

    def _identity(self, path: Path) -> str:
        """What a compiled model depends on: file, settings, version, processor, our library."""
        core, library = self.core, self.library
        facts = {
            "file": sha256_of(path),
            "settings": dict(self.settings),
            "version": core.get_versions(DEVICE)[DEVICE].build_number,
            "processor": core.get_property(DEVICE, "FULL_DEVICE_NAME"),
            "capabilities": list(core.get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")),
            "sampling": None if library is None else [str(library), sha256_of(library)],
        }
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]
