"""Focus-DETR on MindSpore.

``load`` opens a detector; ``train``, ``evaluate`` and ``export`` do what the commands do. Files,
settings and pictures that cannot be used raise ``FocusDetrError``. MindSpore is loaded when one of
them needs it.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from focus_detr.errors import FocusDetrError

if TYPE_CHECKING:
    from focus_detr.api.detector import Detector, load
    from focus_detr.api.found import Found
    from focus_detr.api.runs import evaluate, export, train

# On AVX-512 processors MindSpore 2.10 otherwise takes oneDNN's reference convolution, which is 100
# times slower. It has to be set before MindSpore loads; a user's own value wins. Our own operators
# need no cap and take it away (ops/products_library.py), for which the second variable is.
if "ONEDNN_MAX_CPU_ISA" not in os.environ:
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    os.environ["FOCUS_DETR_CAPPED_ONEDNN"] = "AVX2"

# A thread of OpenMP that waits for others looks so many times before it sleeps. By default it looks
# for a long while, on a core that another program may need: then everything takes twice as long.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# 3 keeps MindSpore's errors only; also read when it loads.
os.environ.setdefault("GLOG_v", "3")

__version__ = "0.1.0"
__all__ = ["Detector", "FocusDetrError", "Found", "evaluate", "export", "load", "train"]

_HOMES = {
    "Detector": "detector",
    "load": "detector",
    "Found": "found",
    "evaluate": "runs",
    "export": "runs",
    "train": "runs",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that the package itself is there at once."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import_module(f"{__name__}.process.requirements").check_packages()
    import_module(f"{__name__}.process.working_folder").check_working_folder()
    return getattr(import_module(f"{__name__}.api.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    """What there is, imported or not."""
    return sorted({*globals(), *__all__})
