"""What ``import focus_detr`` gives, and what it does not load."""

from __future__ import annotations

import subprocess
import sys

import pytest

import focus_detr


def test_the_package_is_there_at_once() -> None:
    code = (
        "import sys, focus_detr\n"
        "sys.exit(' '.join({'mindspore', 'numpy', 'cv2', 'yaml'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_opening_a_detector_needs_no_mindspore_before_it_is_known_which() -> None:
    code = (
        "import sys, focus_detr\n"
        "try: focus_detr.load('missing.onnx')\n"
        "except focus_detr.FocusDetrError as error: print(error)\n"
        "sys.exit('mindspore' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "there is no model missing.onnx\n")


def test_every_public_name_is_there() -> None:
    for name in focus_detr.__all__:
        assert getattr(focus_detr, name).__module__.startswith("focus_detr.")
        assert name in dir(focus_detr)
    with pytest.raises(AttributeError, match="has no attribute 'detect'"):
        focus_detr.detect  # noqa: B018


def test_exports_do_not_hide_the_function() -> None:
    import focus_detr.exporting.session

    assert callable(focus_detr.export)
