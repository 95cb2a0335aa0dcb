"""Test-wide set-up: CPU, graph mode, golden files."""

from __future__ import annotations

import gc
import signal
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import lite_library
import pytest
from hypothesis import HealthCheck, settings
from script_module import load_script

import focus_detr  # noqa: F401  (sets the oneDNN limit before MindSpore loads)
from focus_detr.process.runtime import follow_thread_limit

import mindspore as ms  # isort: skip

pytest_plugins = ["large_jobs"]

GOLDEN_DIR = Path(__file__).parent / "golden"
BUILD_SCRIPT = Path(__file__).parents[1] / "custom_ops" / "build.py"

# how long an example takes tells how busy the machine is
settings.register_profile(
    "any_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any_machine")


def pytest_collection_finish() -> None:
    """Leave out of each garbage collection, and so of each compilation, what stays to the end."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _graph_mode() -> None:
    ms.set_device("CPU")
    ms.set_context(mode=ms.GRAPH_MODE)
    follow_thread_limit()


@pytest.fixture
def usual_signals() -> Iterator[None]:
    """As in a terminal; what runs in the background of a shell or under nohup ignores some."""
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGHUP, hang_up)


@pytest.fixture(scope="session")
def msda_build() -> ModuleType:
    """``custom_ops/build.py``."""
    return load_script(BUILD_SCRIPT)


@pytest.fixture(scope="session")
def msda_library_or_problem(msda_build: ModuleType) -> Path | str:
    """The native library of the sources here, which a build keeps for the next, or why not."""
    try:
        return msda_build.build(msda_build.cache_folder())
    except msda_build.BuildError as error:
        return f"the native library cannot be built: {error}"


@pytest.fixture(scope="session")
def msda_library(msda_library_or_problem: Path | str) -> Path:
    """The native library; skips where it cannot be built."""
    if isinstance(msda_library_or_problem, str):
        pytest.skip(msda_library_or_problem)
    return msda_library_or_problem


@pytest.fixture
def msda(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Networks built in this test sample as the (indirect) parameter says.

    Without the native library "custom" becomes "composition", so that no network goes untested.
    """
    choice = request.param
    if choice == "custom":
        library = request.getfixturevalue("msda_library_or_problem")
        if isinstance(library, str):
            warnings.warn(f"{library}; tested with the composition instead", stacklevel=1)
            choice = "composition"
        else:
            monkeypatch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(library))
    monkeypatch.setenv("FOCUS_DETR_MSDA", choice)
    return choice


@pytest.fixture(scope="session")
def lite_functions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library that calls the real MindSpore Lite, built once."""
    return lite_library.build(tmp_path_factory.mktemp("lite"))
