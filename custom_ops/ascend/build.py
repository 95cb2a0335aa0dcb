"""Build the Ascend operators into a package for CANN.

    python custom_ops/ascend/build.py --out FOLDER
    python custom_ops/ascend/build.py --out FOLDER --install DIRECTORY

Needs a machine with CANN and an installed MindSpore, whose ``custom_compiler`` does the work. The
package FOLDER/*.run installs the operators; with --install that is done at once. After that

    export ASCEND_CUSTOM_OPP_PATH=DIRECTORY/vendors/focus_detr:$ASCEND_CUSTOM_OPP_PATH

makes them known to a process. Needs no device.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

SOURCES = Path(__file__).resolve().parent
VENDOR = "focus_detr"
DEVICES = ("ascend910b", "ascend910_93")  # as in op_host
COMPILER = Path("lib", "plugin", "ascend", "custom_compiler")  # inside the mindspore package
DEFAULT_CANN = "/usr/local/Ascend/cann"
EXIT_BAD_INPUT = 2


class BuildError(Exception):
    """The operators cannot be built here; the text says why in one sentence."""


def find_compiler() -> Path:
    """The folder of MindSpore's ``custom_compiler``; MindSpore itself is not imported.

    Raises:
        BuildError: no MindSpore, or one without it.
    """
    package = importlib.util.find_spec("mindspore")
    if package is None or package.origin is None:
        raise BuildError("MindSpore is not installed in this Python: it brings the compiler tool")
    folder = Path(package.origin).parent / COMPILER
    if not (folder / "setup.py").is_file():
        raise BuildError(f"this MindSpore has no compiler tool: {folder} is missing")
    return folder


def find_cann(wanted: Path | None) -> Path:
    """The folder of CANN: the one given, ASCEND_HOME_PATH or the default.

    Raises:
        BuildError: it does not exist.
    """
    folder = wanted or Path(os.environ.get("ASCEND_HOME_PATH") or DEFAULT_CANN)
    if not folder.is_dir():
        raise BuildError(
            f"CANN is not at {folder}: install it, or give its folder with --cann or "
            "ASCEND_HOME_PATH"
        )
    return folder


def build(cann: Path, device: str, out: Path, install: Path | None) -> list[Path]:
    """Build the package, in a copy of the compiler tool that is deleted afterwards.

    Args:
        cann: folder of CANN.
        device: one of ``DEVICES``.
        out: where the package goes; is made if missing.
        install: existing folder to install it into, or None.

    Returns:
        The packages.

    Raises:
        BuildError: the tool failed; its log lies in ``out`` then.
    """
    tool = find_compiler()
    if install is not None and not install.is_dir():
        raise BuildError(f"--install: there is no folder {install}")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="focus_detr_ascend-") as folder:
        copy = Path(folder, "custom_compiler").resolve()
        shutil.copytree(tool, copy)
        finished = subprocess.run(command(cann, device, install), cwd=copy, check=False)
        if finished.returncode:
            raise BuildError(f"the compiler tool failed{_keep_log(copy, out)}")
        packages = sorted(copy.glob("CustomProject/build_out/*.run"))
        if not packages:
            raise BuildError(f"the compiler tool made no package{_keep_log(copy, out)}")
        return [Path(shutil.copy(package, out)) for package in packages]


def command(cann: Path, device: str, install: Path | None) -> list[str]:
    """How the compiler tool is called; arguments as of ``build``."""
    options = {
        "op_host_path": SOURCES / "op_host",
        "op_kernel_path": SOURCES / "op_kernel",
        "vendor_name": VENDOR,
        "soc_version": device,
        "ascend_cann_package_path": cann.resolve(),
    }
    command = [sys.executable, "setup.py", *(f"--{key}={value}" for key, value in options.items())]
    return command if install is None else [*command, f"--install_path={install.resolve()}", "-i"]


def _keep_log(tool: Path, out: Path) -> str:
    log = tool / "build.log"
    return f": see {shutil.copy(log, out)}" if log.is_file() else ""


def _folder(text: str) -> Path:
    """From the command line; ``~`` is the home folder."""
    return Path(os.path.expanduser(text))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 2 if the operators cannot be built."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=_folder, required=True, help="folder for the package")
    parser.add_argument("--install", type=_folder, help="also install into this folder")
    parser.add_argument("--device", choices=DEVICES, default=DEVICES[0])
    parser.add_argument("--cann", type=_folder, help="folder of CANN")
    arguments = parser.parse_args(argv)
    try:
        cann = find_cann(arguments.cann)
        for package in build(cann, arguments.device, arguments.out, arguments.install):
            print(package)
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except OSError as error:
        print(f"error: cannot write {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_BAD_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
