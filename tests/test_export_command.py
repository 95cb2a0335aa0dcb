"""``export.py`` and ``predict.py --model`` on the small network: the whole way, in processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image
from script_module import load_script
from small_checkpoint import write_small_checkpoint

from focus_detr.data.image_io import read_image
from focus_detr.deploy.runner import ExportedPredictor
from focus_detr.deploy.sidecar import read_sidecar, sidecar_path, write_sidecar
from focus_detr.export.comparison import compare_tokens
from focus_detr.export.onnx_writing import write_onnx
from focus_detr.export.pictures import draw_picture
from focus_detr.files import sha256_of
from focus_detr.inference.image_writing import write_image

ROOT = Path(__file__).resolve().parents[1]
# what trains, builds or converts networks; of ops a runner needs only where the library lies
FOREIGN = ("models", "losses", "training", "weights", "evaluation", "export", "ops.msda_choice")
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint, photographs, and the checkpoint exported for batches of two."""
    folder = tmp_path_factory.mktemp("export")
    checkpoint = write_small_checkpoint(folder / "best.safetensors")
    for name, size in SIZES.items():
        write_image(folder / "photos" / f"{name}.png", draw_picture(*size, seed=size[0]))
    turned = Image.fromarray(draw_picture(100, 70, seed=3))
    exif = Image.Exif()
    exif[ORIENTATION] = A_QUARTER
    turned.save(folder / "photos" / "turned.jpg", exif=exif)
    arguments = ["--checkpoint", str(checkpoint), "--out", str(folder / "served" / "a.mindir")]
    arguments += ["--size=64x96", "--batch=2", "--tokens", "--tolerance=1e-5", "--device=CPU"]
    assert command("export").main(arguments) == 0
    return folder


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


def test_model_and_checkpoint_find_the_same(folder: Path) -> None:
    ours, modules = predicted(folder, ["--model", str(folder / "served")])
    assert not [name for name in modules if name.removeprefix("focus_detr.").startswith(FOREIGN)]
    theirs, others = predicted(folder, ["--checkpoint", str(folder / "best.safetensors")])
    assert "focus_detr.models.factory" in others
    assert [entry["image"] for entry in ours] == [entry["image"] for entry in theirs]
    for left, right in zip(ours, theirs, strict=True):
        assert (left["height"], left["width"]) == (right["height"], right["width"])
        assert len(left["detections"]) == len(right["detections"]) > 5
        box = max(0.02, 1e-5 * left["width"])
        for key, tolerance in (("label", 0), ("score", 2e-5), ("box", box)):
            values = [[found[key] for found in item["detections"]] for item in (left, right)]
            np.testing.assert_allclose(*values, atol=tolerance, rtol=0)


def test_the_same_network_in_onnx_needs_no_mindspore(folder: Path) -> None:
    mindir, path = folder / "served" / "a.mindir", folder / "onnx" / "a.onnx"
    path.parent.mkdir()
    write_onnx(mindir, path)
    sidecar = read_sidecar(mindir)
    graph = replace(sidecar.graph, engine="onnx")
    write_sidecar(path, replace(sidecar, file_sha256=sha256_of(path), graph=graph))
    found, modules = predicted(folder, ["--model", str(path)])
    assert not [name for name in modules if name.split(".")[0] == "mindspore"]
    predictor = ExportedPredictor.from_path(mindir, "CPU")
    picture = [draw_picture(60, 96, seed=1)]
    tokens = [
        [found.tokens for found in each.predict_batch(picture)]
        for each in (predictor, ExportedPredictor.from_path(path))
    ]
    same = compare_tokens(*tokens)
    assert same.same_tokens == same.tokens > 20
    shapes = {Path(entry["image"]).stem: (entry["height"], entry["width"]) for entry in found}
    assert shapes == SIZES | {"turned": (70, 100)}
    for entry in found:
        expected = predictor.predict(read_image(entry["image"])).detections
        for key, right, tolerance in (
            ("label", expected.labels, 0),
            ("score", expected.scores, 1e-4),
            ("box", expected.boxes, 0.006 + 1e-4 * entry["width"]),
        ):
            values = [detection[key] for detection in entry["detections"]]
            np.testing.assert_allclose(values, right, atol=tolerance, rtol=0)


def test_pictures_of_a_batch_do_not_disturb_each_other(folder: Path) -> None:
    predictor = ExportedPredictor.from_path(folder / "served" / "a.mindir", "CPU")
    pictures = [draw_picture(64 + 9 * index, 90, seed=index) for index in range(3)]
    together = predictor.predict_batch(pictures)
    for picture, ours in zip(pictures, together, strict=True):
        alone = predictor.predict(picture)
        assert ours.names == alone.names
        for field, tolerance in (("scores", 1e-5), ("boxes", 1e-3)):
            left, right = (getattr(found.detections, field) for found in (ours, alone))
            np.testing.assert_allclose(left, right, atol=tolerance, rtol=0)


def test_a_file_that_is_cut_off_is_one_sentence(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = folder / "broken" / "a.mindir"
    broken.parent.mkdir()
    served = folder / "served" / "a.mindir"
    assert read_sidecar(served).graph.batch == 2
    broken.write_bytes(served.read_bytes()[:-1000])
    sidecar_path(broken).write_bytes(sidecar_path(served).read_bytes())
    arguments = [str(folder / "photos"), "--model", str(broken), "--device=CPU"]
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
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    model = ["--model", str(folder / "served"), str(folder / "photos")]
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
