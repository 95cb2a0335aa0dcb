"""``export.py`` and ``predict.py --model`` on the small network: the whole way, in processes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import lite_library
import numpy as np
import onnx
import pytest
from lite_runs import run_worker
from mindspore import nn
from onnx_patterns import stumbling_blocks
from PIL import Image
from planted_errors import PLANTED
from script_module import load_script
from small_checkpoint import write_small_checkpoint

from focus_detr.commands.export import parse_arguments
from focus_detr.comparing.guided_detector import GuidedDetector
from focus_detr.comparing.pictures import draw_picture
from focus_detr.comparing.proof import prove
from focus_detr.data.image_io import read_image
from focus_detr.deploy.engine import Engine, open_engine
from focus_detr.deploy.engine_options import ONNX_RUNTIME, EngineOptions
from focus_detr.deploy.replay import Recorder
from focus_detr.deploy.runner import ExportedPredictor, ModelFile
from focus_detr.deploy.sidecar import Graph, read_sidecar, sidecar_path, write_sidecar
from focus_detr.exporting import session
from focus_detr.exporting.comparison import compare_tokens
from focus_detr.exporting.file_numbers import computed_by_file
from focus_detr.exporting.onnx_writing import write_onnx
from focus_detr.exporting.writing import write_graph, write_telling
from focus_detr.inference.image_writing import write_image
from focus_detr.inference.session import PicturePredictor
from focus_detr.io.files import sha256_of
from focus_detr.models.tokens import FOREGROUND
from focus_detr.weights.checkpoint import load_checkpoint

ROOT = Path(__file__).resolve().parents[1]
# what trains, builds or converts networks; of ops a runner needs only where the library lies
FOREIGN = ("models", "losses", "training", "weights", "evaluation", "exporting", "ops.msda_choice")
# the smallest is below a stride, the widest beyond what any screen shows
SIZES = {"a": (60, 90), "b": (200, 240), "small": (30, 31), "wide": (600, 8000)}
ORIENTATION, A_QUARTER = 0x0112, 6  # EXIF's number of the tag; to be turned right
PROGRAM = """
import json, runpy, sys
try:
    runpy.run_path("predict.py", run_name="__main__")
finally:
    ours = ("focus_detr.", "mindspore")
    print(json.dumps([name for name in sys.modules if name.startswith(ours)]))
"""


def command(name: str) -> ModuleType:
    return load_script(ROOT / f"{name}.py")


@dataclass(frozen=True)
class Exported:
    """A checkpoint in a folder with its exports and photographs."""

    folder: Path
    references: list[GuidedDetector]  # one, after the exports

    @property
    def reference(self) -> GuidedDetector:
        """The network of the checkpoint."""
        return self.references[0]

    @property
    def onnx(self) -> Path:
        """Of ordinary operations, for any number of pictures, from pixels to pixels."""
        return self.folder / "onnx" / "a.onnx"

    @property
    def composed(self) -> Path:
        """What the ONNX file was written from, for one picture."""
        return self.folder / "composed" / "a.mindir"

    @property
    def native(self) -> Path:
        """With the native operator, for two pictures, from normalised ones to units."""
        return self.folder / "native" / "b.mindir"


@pytest.fixture(scope="module")
def exported(
    tmp_path_factory: pytest.TempPathFactory, msda_library_or_problem: Path | str
) -> Exported:
    """A checkpoint exported with every flag of export.py, in two files that are for one shape.

    One is ONNX and one MINDIR, so that the proof of both is seen and each network compiled once.
    """
    folder = tmp_path_factory.mktemp("export")
    _write_photographs(folder / "photos")
    write_small_checkpoint(folder / "best.safetensors")
    references: list[GuidedDetector] = []

    def only_one(*arguments: Any) -> GuidedDetector:
        """The reference of the first export, so that it is compiled once."""
        references[:] = references or [GuidedDetector(*arguments)]
        return references[0]

    def kept(cell: nn.Cell, graph: Graph, path: Path) -> None:
        """Keep what an ONNX file is written from."""
        write_graph(cell, graph, path)
        if graph.engine == "onnx":
            shutil.copy(path.with_suffix(".mindir"), result.composed)

    result = Exported(folder, references)
    result.composed.parent.mkdir()
    msda = "--msda=composition"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "GuidedDetector", only_one)
        patch.setattr(session, "write_graph", kept)
        if isinstance(msda_library_or_problem, Path):
            patch.setenv("FOCUS_DETR_MSDA_LIBRARY", str(msda_library_or_problem))
            msda = "--msda=custom"
        _export(folder, "onnx/a.onnx", "--batch=any")
        _export(folder, "native/b.mindir", "--batch=2", "--images=normalised", "--boxes=unit", msda)
    _write_sidecar(result, result.composed, engine="mindspore")
    return result


def _write_photographs(folder: Path) -> None:
    for name, size in SIZES.items():
        write_image(folder / f"{name}.png", draw_picture(*size, seed=size[0]))
    turned = Image.fromarray(draw_picture(100, 70, seed=3))
    exif = Image.Exif()
    exif[ORIENTATION] = A_QUARTER
    turned.save(folder / "turned.jpg", exif=exif)


def _export(folder: Path, name: str, *flags: str) -> None:
    arguments = ["--checkpoint", str(folder / "best.safetensors"), "--out", str(folder / name)]
    arguments += ["--size=64x96", "--tokens", "--tolerance=1e-5", "--device=CPU"]
    assert command("export").main([*arguments, *flags]) == 0


def predicted(folder: Path, arguments: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """What a fresh process finds in the photographs, and which of our modules it loaded."""
    out = folder / "out"
    command_line = [*arguments, str(folder / "photos"), "--threshold=0", f"--out={out}"]
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM, *command_line, "--device=CPU"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    modules = json.loads(process.stdout.splitlines()[-1])
    return json.loads((out / "detections.json").read_text()), modules


def assert_same(
    entries: Sequence[dict[str, Any]], predictor: PicturePredictor, share: float
) -> None:
    """What was listed is what ``predictor`` finds.

    ``share`` of the picture's width is how far boxes may differ, beside rounding, and scores.
    """
    shapes = {Path(entry["image"]).stem: (entry["height"], entry["width"]) for entry in entries}
    assert shapes == SIZES | {"turned": (70, 100)}
    for entry in entries:
        expected = predictor.predict(read_image(entry["image"])).detections
        assert len(entry["detections"]) == len(expected.scores) > 5
        for key, right, tolerance in (
            ("label", expected.labels, 0),
            ("score", expected.scores, 6e-6 + share),
            ("box", expected.boxes, 0.006 + share * entry["width"]),
        ):
            values = [detection[key] for detection in entry["detections"]]
            np.testing.assert_allclose(values, right, atol=tolerance, rtol=0)


def test_a_served_file_finds_what_its_checkpoint_finds(exported: Exported) -> None:
    found, modules = predicted(exported.folder, ["--model", str(exported.native.parent)])
    names = [name.removeprefix("focus_detr.") for name in modules]
    assert "deploy.mindspore_engine" in names and "mindspore" in names
    assert not [name for name in names if name.startswith(FOREIGN)]
    assert_same(found, exported.reference, 1e-5)


def test_the_same_network_in_onnx_needs_no_mindspore(exported: Exported) -> None:
    path = exported.onnx
    assert stumbling_blocks(onnx.load(path)) == []
    found, modules = predicted(exported.folder, ["--model", str(path)])
    assert not [name for name in modules if name.split(".")[0] == "mindspore"]
    predictor = ExportedPredictor.from_path(exported.composed, "CPU")
    assert_same(found, predictor, 1e-4)
    pictures = [draw_picture(60 + 9 * index, 96, seed=index) for index in range(3)]
    tokens = [
        [found.tokens for found in each.predict_batch(pictures)]
        for each in (predictor, ExportedPredictor.from_path(path))
    ]
    same = compare_tokens(*tokens)
    assert same.same_tokens == same.tokens > 60


@pytest.mark.skipif(lite_library.problem() is not None, reason=str(lite_library.problem()))
def test_the_same_network_on_the_real_mindspore_lite(
    exported: Exported, lite_functions: Path
) -> None:
    folder = exported.folder / "lite"
    folder.mkdir()
    source, path = folder / "a.onnx", folder / "a.mindir"
    write_onnx(exported.composed, source)
    run_worker(lite_functions, "convert", source, path)
    _write_sidecar(exported, path, engine="lite")
    _write_sidecar(exported, source, engine="onnx")
    engine = open_engine(source, read_sidecar(source).graph)
    inputs = [_inputs(seed, size) for seed, size in enumerate(((64, 96), (50, 96), (64, 71)))]
    named = {f"{name}{i}": array for i, each in enumerate(inputs) for name, array in each.items()}
    np.savez(folder / "in.npz", **named)
    run_worker(lite_functions, "detect", path, folder / "in.npz", folder / "out.npz")
    with np.load(folder / "out.npz") as found:
        for i, each in enumerate(inputs):
            scores, labels, boxes, ranked, counts = engine.run(*each.values())
            np.testing.assert_allclose(found[f"{i}_0"], scores, atol=2e-5, rtol=0)
            np.testing.assert_array_equal(found[f"{i}_1"], labels)
            np.testing.assert_allclose(found[f"{i}_2"], boxes, atol=2e-3, rtol=0)
            np.testing.assert_array_equal(found[f"{i}_3"], ranked)
            np.testing.assert_array_equal(found[f"{i}_4"], counts)


@pytest.mark.skipif(lite_library.problem() is not None, reason=str(lite_library.problem()))
def test_a_file_of_a_later_mindspore_is_refused_by_an_old_lite(
    exported: Exported, lite_functions: Path
) -> None:
    folder = exported.folder / "later"
    folder.mkdir()
    path = shutil.copy(exported.composed, folder)
    _write_sidecar(exported, Path(path), engine="lite")
    told = run_worker(lite_functions, "detect", path, "in.npz", "out.npz", fails=True)
    assert told.startswith(f"error: MindSpore Lite cannot load {path}: ")
    assert "can only support the maximum mind ir version: 1" in told and told.count("\n") == 1


def _write_sidecar(exported: Exported, path: Path, **changes: Any) -> None:
    """That of the ONNX file, for another file of one picture."""
    sidecar = read_sidecar(exported.onnx)
    graph = replace(sidecar.graph, **{"batch": 1, **changes})
    write_sidecar(path, replace(sidecar, file_sha256=sha256_of(path), graph=graph))


def _inputs(seed: int, size: tuple[int, int]) -> dict[str, np.ndarray]:
    """A drawn picture with padding, and its sizes."""
    images = np.zeros((1, 64, 96, 3), np.uint8)
    images[0, : size[0], : size[1]] = draw_picture(*size, seed=seed)
    twice = 2 * np.int32([size])
    return {"images": images, "image_sizes": np.int32([size]), "picture_sizes": twice}


class Turned:
    """An engine that takes heights for widths."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, *inputs: np.ndarray) -> tuple[np.ndarray, ...]:
        images, sizes, *others = inputs
        return self._engine.run(images, sizes[:, ::-1], *others)


@pytest.fixture(scope="module")
def telling(exported: Exported) -> Path:
    """The ONNX file of the export, with its selections as outputs."""
    path = exported.folder / "telling" / "a.onnx"
    path.parent.mkdir()
    graph = replace(read_sidecar(exported.composed).graph, engine="onnx")
    _write_sidecar(
        exported, path, engine="onnx", selections=write_telling(exported.composed, graph, path)
    )
    return path


def _fault(exported: Exported, path: Path, turned: bool = False) -> str:
    """Of a file that tells its selections; ``turned``: it takes heights for widths."""
    sidecar = read_sidecar(path)
    recorder = Recorder(open_engine(path, sidecar.graph, options=EngineOptions(ONNX_RUNTIME)))
    file = ModelFile(path, sidecar, engine=Turned(recorder) if turned else recorder)
    picture = draw_picture(70, 120, seed=4)
    ExportedPredictor([file]).predict(picture)
    rows = [output[0] for output in recorder.outputs(1)]
    found = computed_by_file(rows, sidecar.graph, (70, 120))
    expected = exported.reference.compute(picture, found.selections)
    return prove(exported.reference.names, expected, found, 1e-4).fault


def test_a_right_file_is_proven(exported: Exported, telling: Path) -> None:
    assert _fault(exported, telling) == ""


def test_a_transposed_size_is_named(exported: Exported, telling: Path) -> None:
    assert f"differ are the {FOREGROUND}, by" in _fault(exported, telling, turned=True)


@pytest.mark.parametrize("error", PLANTED)
def test_planted_errors_are_named_where_they_start(
    exported: Exported, telling: Path, error: str
) -> None:
    plant, where = PLANTED[error]
    model = onnx.load(telling)
    plant(model, load_checkpoint(exported.folder / "best.safetensors").tensors)
    path = exported.folder / "planted" / "a.onnx"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(model.SerializeToString())
    selections = read_sidecar(telling).graph.selections
    _write_sidecar(exported, path, engine="onnx", selections=selections)
    assert f"differ are the {where}, by" in _fault(exported, path)


def test_pictures_of_a_batch_do_not_disturb_each_other(exported: Exported) -> None:
    predictor = ExportedPredictor.from_path(exported.native, "CPU")
    assert predictor.batch == 2
    pictures = [draw_picture(64 + 9 * index, 90, seed=index) for index in range(3)]
    together = predictor.predict_batch(pictures)
    for picture, ours in zip(pictures, together, strict=True):
        alone = predictor.predict(picture)
        assert ours.names == alone.names
        for field, tolerance in (("scores", 1e-5), ("boxes", 1e-3)):
            left, right = (getattr(found.detections, field) for found in (ours, alone))
            np.testing.assert_allclose(left, right, atol=tolerance, rtol=0)


def test_a_file_that_is_cut_off_is_one_sentence(
    exported: Exported, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = exported.folder / "broken" / "a.mindir"
    broken.parent.mkdir()
    served = exported.composed
    broken.write_bytes(served.read_bytes()[:-1000])
    sidecar_path(broken).write_bytes(sidecar_path(served).read_bytes())
    arguments = [str(exported.folder / "photos"), "--model", str(broken), "--device=CPU"]
    assert command("predict").main(arguments) == 2
    error = capsys.readouterr().err
    assert "the model is damaged or cut off" in error and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device=Nowhere"], "unknown device Nowhere"),
        (["--short-side=64"], "the sizes of an exported model are fixed"),
    ],
)
def test_options_that_a_model_cannot_follow_are_refused(
    exported: Exported, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    model = ["--model", str(exported.composed), str(exported.folder / "photos")]
    assert command("predict").main([*model, *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out=a.om"], "a.om must end in .mindir or .onnx"),
        (
            ["--out=a.onnx", "--msda=custom"],
            "--msda custom is an operation that ONNX does not have",
        ),
        (["--out=a.mindir", "--size=big"], "--size big is no height and width such as 800x1344"),
        (["--out=a.mindir", "model.width=8"], "key=value changes settings of --config"),
        (["--out=a.mindir"], "there is no checkpoint none.safetensors"),
    ],
)
def test_bad_arguments_of_an_export_are_one_sentence(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert command("export").main(["--checkpoint=none.safetensors", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_settings_may_stand_on_both_sides_of_an_option() -> None:
    words = ["a=1", "--checkpoint", "x", "--out", "y.onnx", "b=2", "--tokens"]
    assert parse_arguments(words).overrides == ["a=1", "b=2"]
