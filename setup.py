"""Puts the settings files into the package, and builds its native libraries.

Everything else stands in pyproject.toml. Without a compiler the install succeeds all the same; the
package then composes their operators from MindSpore's own.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

from setuptools import Distribution, setup
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
    """Adds what lies outside ``src``; an editable install has its settings from ``config``."""

    def run(self) -> None:
        """Copy and build; a failure to build is told and forgiven."""
        super().run()
        folder = Path(self.build_lib) / "focus_detr"
        library = builder.PACKAGE_FOLDER if self.editable_mode else folder / "ops" / "lib"
        if not self.editable_mode:
            shutil.rmtree(folder / "recipes", ignore_errors=True)  # of an earlier build
            shutil.copytree(ROOT / "config", folder / "recipes")
        try:
            builder.install_all([library])
        except builder.BuildError as error:
            print(f"warning: native operators run composed, {error}", file=sys.stderr)


class WheelOfThisPlatform(bdist_wheel):
    """With the library inside, a wheel fits one platform and any Python."""

    def get_tag(self) -> tuple[str, str, str]:
        """Python, ABI and platform."""
        tag = super().get_tag()
        return tag if self.root_is_pure else ("py3", "none", tag[2])


class DistributionWithLibrary(Distribution):
    """Tells setuptools of the library, which it does not build itself."""

    def has_ext_modules(self) -> bool:
        """Whether there can be a library."""
        try:
            builder.find_compiler()
        except builder.BuildError:
            return False
        return True


setup(
    distclass=DistributionWithLibrary,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": WheelOfThisPlatform},
)
