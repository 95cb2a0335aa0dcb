"""From an exported MINDIR file to one that MindSpore Lite runs on Ascend."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from focus_detr.deploy.lite_log import cause
from focus_detr.deploy.sidecar import MINDIR, Sidecar, read_sidecar, sidecar_path, write_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import sha256_of, whole_file, write_whole, writing

CONVERTER = "converter_lite"  # in tools/converter/converter of MindSpore Lite's package
# as `npu-smi info` names them; the 910B has several variants
SOC_VERSIONS: Mapping[str, str] = {"910B": "Ascend910B4", "310P": "Ascend310P3"}

# The default precision, enforce_fp16, loses digits that sampling locations and the logits of boxes
# need.
_CONFIG = """\
[ascend_context]
input_format=NCHW
precision_mode=preferred_fp32
op_select_impl_mode=high_precision

[acl_init_options]
ge.socVersion={soc}
"""


@dataclass(frozen=True)
class Conversion:
    """One file, converted for one kind of device."""

    model: Path  # that export.py wrote
    folder: Path  # for the converted file, its sidecar and the converter's settings
    device: str  # a key of SOC_VERSIONS
    soc: str | None = None  # exact name of the device; None: the usual one
    converter: str = CONVERTER  # command

    @property
    def config(self) -> Path:
        """The converter's settings."""
        return self.folder / f"ascend_{self.device.lower()}.cfg"

    @property
    def result(self) -> Path:
        """The converted file."""
        return self.folder / self.model.with_suffix(MINDIR).name

    def config_text(self) -> str:
        """What stands in the settings."""
        return _CONFIG.format(soc=self.soc or SOC_VERSIONS[self.device])

    def arguments(self, output: Path) -> list[str]:
        """The converter's command line; it appends .mindir to ``output``."""
        return [
            self.converter,
            "--fmk=MINDIR",
            "--saveType=MINDIR",
            "--optimize=ascend_oriented",
            f"--modelFile={self.model}",
            f"--outputFile={output}",
            f"--configFile={self.config}",
        ]

    def prepare(self) -> str:
        """Write the settings.

        Returns:
            The command line to type.

        Raises:
            FocusDetrError: the file does not fit its sidecar or cannot be converted.
        """
        self._checked()
        write_whole(self.config, self.config_text().encode())
        return shlex.join(self.arguments(self.result.with_suffix("")))

    def run(self) -> Path:
        """Convert, and write the sidecar.

        Returns:
            The converted file.

        Raises:
            FocusDetrError: the file does not fit its sidecar or cannot be converted, or there is
                no converter.
        """
        sidecar = self._checked()
        self.prepare()
        with writing(self.result):
            place = tempfile.TemporaryDirectory(prefix=".convert.", dir=self.folder)
        with place as folder:
            draft = Path(folder) / self.result.name
            self._call(draft)
            with whole_file(self.result) as part:
                draft.replace(part)
        self._describe(sidecar)
        return self.result

    def describe(self) -> Path:
        """Write the sidecar of a file that was converted by hand.

        Returns:
            The sidecar.

        Raises:
            FocusDetrError: the exported file does not fit its sidecar or cannot be converted, or
                there is no converted one.
        """
        sidecar = self._checked()
        if not self.result.is_file():
            raise FocusDetrError(f"there is no converted file {self.result}")
        if sha256_of(self.result) == sidecar.file_sha256:
            raise FocusDetrError(f"{self.result} is a copy of {self.model}, which is not converted")
        self._describe(sidecar)
        return sidecar_path(self.result)

    def _describe(self, sidecar: Sidecar) -> None:
        """Write the sidecar of the result; ``sidecar`` is that of the exported file."""
        graph = replace(sidecar.graph, engine="lite")
        write_sidecar(
            self.result, replace(sidecar, file_sha256=sha256_of(self.result), graph=graph)
        )

    def _checked(self) -> Sidecar:
        sidecar = read_sidecar(self.model)
        graph = sidecar.graph
        if graph.engine != "mindspore":
            raise FocusDetrError(
                f"{self.model} is for {graph.engine}: convert a {MINDIR} file of export.py"
            )
        if graph.msda == "custom":
            raise FocusDetrError(
                f"{self.model} calls the native operator for CPUs: export again "
                "with --msda composition"
            )
        if graph.msda == "ascend" and self.device == "310P":
            raise FocusDetrError(
                f"{self.model}: CANN's operator wants transposed tensors on the "
                "310P: export again with --msda composition"
            )
        if self.model.resolve() == self.result.resolve():
            raise FocusDetrError(
                f"{self.result} would overwrite the exported file: name another folder"
            )
        return sidecar

    def _call(self, draft: Path) -> None:
        try:
            done = subprocess.run(
                self.arguments(draft.with_suffix("")), capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise FocusDetrError(
                f"there is no {self.converter} ({error.strerror}): it comes with MindSpore Lite "
                "for Ascend"
            ) from error
        if done.returncode != 0 or not draft.is_file():
            reason = cause(f"{done.stdout}\n{done.stderr}") or "it said nothing"
            raise FocusDetrError(f"{self.converter} failed on {self.model}: {reason}")
