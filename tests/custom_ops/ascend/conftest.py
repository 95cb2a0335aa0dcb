"""The emulated kernels, compiled once."""

from __future__ import annotations

from pathlib import Path

import ascend_emulation
import pytest


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if ascend_emulation.compiler() is None:
        pytest.skip("no g++ to compile the emulated Ascend kernels with")
    return ascend_emulation.compile_kernels(tmp_path_factory.mktemp("ascend"))
