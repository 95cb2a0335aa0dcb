"""Builds the native library of deformable attention when the package is installed.

Everything else stands in pyproject.toml. Without a compiler the install succeeds all the same; the
package then composes the operator from MindSpore's own.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


def load_builder() -> ModuleType:
    """``custom_ops/build.py``, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("msda_build", ROOT / "custom_ops" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


builder = load_builder()


class BuildWithLibrary(build_py):
    """Puts the library into the package, in an editable install into the source folder."""

    def run(self) -> None:
        """Build; a failure is told and forgiven."""
        super().run()
        folder = Path(self.build_lib) / "focus_detr" / "ops" / "lib"
        if self.editable_mode:
            folder = builder.PACKAGE_FOLDER
        try:
            builder.install(builder.build(builder.cache_folder()), folder)
        except builder.BuildError as error:
            print(f"warning: deformable attention runs composed, {error}", file=sys.stderr)


class WheelOfThisPlatform(bdist_wheel):
    """With the library inside, a wheel fits one platform and any Python."""

    def finalize_options(self) -> None:
        """Say so, if there can be a library."""
        super().finalize_options()
        try:
            builder.find_compiler()
        except builder.BuildError:
            return
        self.root_is_pure = False

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform."""
        tag = super().get_tag()
        return tag if self.root_is_pure else ("py3", "none", tag[2])


setup(cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelOfThisPlatform})
