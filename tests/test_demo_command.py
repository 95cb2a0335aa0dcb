"""``demo.py`` from start to Ctrl-C, with the small network."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from constant_onnx import write_constant_onnx
from demo_server import Client
from headless_browser import DETECTED, headless_browser, upload
from script_module import load_script
from small_checkpoint import CLASSES, NETWORK, write_small_checkpoint

from focus_detr.demo import extra

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint and a photograph."""
    folder = tmp_path_factory.mktemp("demo")
    write_small_checkpoint(folder / "small.safetensors")
    image = np.random.default_rng(2).integers(0, 256, (60, 90, 3), np.uint8)
    cv2.imwrite(str(folder / "photo.png"), image)
    return folder


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """The command in this folder, once it is ready."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    if extra_path := os.environ.get("PYTHONPATH"):
        environment["PYTHONPATH"] += os.pathsep + os.path.abspath(extra_path)
    with subprocess.Popen(
        [sys.executable, str(ROOT / "demo.py"), *arguments, "--port=0", "--device=CPU"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "loading the detector\n"
        ready = process.stdout.readline()
        assert ready.startswith("ready: http://127.0.0.1:")
        yield process, Client(int(ready.split(":")[3].split()[0]))
        process.kill()


@pytest.fixture(scope="module")
def program(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """The command with the checkpoint."""
    arguments = ("--checkpoint=small.safetensors", "--pictures=.", "--graphs=kept")
    with started(folder, *arguments) as running:
        yield running


@pytest.fixture
def demo() -> ModuleType:
    return load_script(ROOT / "demo.py")


def test_the_endpoint_detects_and_tells_the_tokens(
    program: tuple[subprocess.Popen[str], Client], folder: Path
) -> None:
    _, client = program
    data = (folder / "photo.png").read_bytes()
    answer = client.detect(data, "?threshold=0&tokens=1").json
    scores = [item["score"] for item in answer["detections"]]
    assert scores == sorted(scores, reverse=True) and 0 < len(scores) <= NETWORK.decoder.queries
    for item in answer["detections"]:
        x1, y1, x2, y2 = item["box"]
        assert 0 <= x1 < x2 <= 90 and 0 <= y1 < y2 <= 60
        assert item["name"] == CLASSES.names[item["label"]]
    (layer,) = answer["tokens"]["layers"]
    assert layer["cells"] == 8 * 12 + 4 * 6 + 2 * 3 + 1 * 2
    assert layer["kept"] == pytest.approx(layer["cells"] * NETWORK.encoder.keep_ratio, abs=4)
    middle = (scores[2] + scores[3]) / 2
    fewer = client.detect(data, f"?threshold={middle}").json["detections"]
    assert fewer == answer["detections"][:3]
    assert client.ask("/api/model").json["pictures"][0]["name"] == "photo.png"
    assert list(folder.glob("kept/*/Detector-*.graph"))


@pytest.mark.browser
def test_the_page_shows_what_the_network_finds(
    program: tuple[subprocess.Popen[str], Client], folder: Path
) -> None:
    _, client = program
    data = (folder / "photo.png").read_bytes()
    answer = client.detect(data, "?threshold=0.05&tokens=1").json
    found, (layer,) = answer["detections"], answer["tokens"]["layers"]
    shown = [item for item in found if item["score"] >= 0.3]
    with headless_browser() as browser:
        page = browser.new_page()
        page.goto(client.address)
        page.wait_for_selector("#about:has-text('detects cat, dog')")
        upload(page, data)
        page.wait_for_selector(DETECTED)
        assert page.inner_text("#count") == f"{len(shown)} shown of {len(found)} found"
        page.click("text=Layer 1")
        caption = page.inner_text("#caption")
        assert f"Layer 1 refines {layer['kept']} of {layer['cells']} tokens" in caption


def test_ctrl_c_ends_it_with_one_word(program: tuple[subprocess.Popen[str], Client]) -> None:
    process, client = program
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=30)
    assert (process.returncode, out, error) == (0, "stopped\n", "")
    with pytest.raises(ConnectionRefusedError):
        client.ask("/")


def test_an_onnx_file_needs_no_mindspore(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mindspore.py").write_text("raise ImportError")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    write_constant_onnx(tmp_path / "a.onnx", tokens=True)
    with started(tmp_path, "--model=a.onnx") as (process, client):
        answer = client.detect((folder / "photo.png").read_bytes(), "?tokens=1").json
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
    assert [item["name"] for item in answer["detections"]] == ["dog"]
    assert len(answer["tokens"]["layers"]) == 2
    assert (process.returncode, out, error) == (0, "stopped\n", "")


def test_a_port_in_use_is_one_sentence(
    demo: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.main(["--checkpoint=x", f"--port={port}"]) == 2
    sentence = f"error: cannot listen at 127.0.0.1 port {port}: Address already in use\n"
    assert capsys.readouterr().err == sentence


def test_without_the_extra_the_command_says_how_to_get_it(
    demo: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extra, "missing_modules", list)
    assert demo.main(["--checkpoint=x"]) == 2
    error = capsys.readouterr().err
    assert "the demo needs starlette and uvicorn: install it with pip install -e" in error


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--checkpoint=missing", "--port=0"], "no checkpoint missing"),
        (["--model=missing.mindir", "--port=0"], "missing"),
        (["--model=x", "--short-side=9"], "the sizes of an exported model are fixed"),
        (["--checkpoint=x", "--pictures=missing"], "--pictures missing is no folder"),
        (["--checkpoint=x", "--megabytes=0"], "limit upload_bytes must be positive"),
        (["--checkpoint=x", "--port=99999"], "cannot listen at 127.0.0.1 port 99999"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    demo: ModuleType, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert demo.main(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1
