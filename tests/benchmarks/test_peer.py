"""``benchmarks/peer.py`` with stand-ins for torch and for the measuring processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from benchmark_runs import ROOT

from focus_detr.config.loading import load_config
from focus_detr.errors import FocusDetrError

SMALL = (
    "model.num_classes=3",
    "model.width=32",
    "model.heads=4",
    "model.encoder.layers=1",
    "model.encoder.cascade=[1.0]",
    "model.encoder.points=2",
    "model.decoder.layers=2",
    "model.decoder.ffn_width=64",
    "model.decoder.queries=70",
)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The benchmarks' folder, and an environment with all that the peer needs."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import peer_work

    monkeypatch.setattr(peer_work, "missing_modules", lambda names: [])


def test_the_peer_has_our_sizes() -> None:
    from peer_work import peer_settings

    assert peer_settings(load_config(None, SMALL).model, 3, 30) == {
        "num_labels": 3,
        "d_model": 32,
        "num_feature_levels": 4,
        "num_queries": 30,
        "two_stage_num_proposals": 30,
        "encoder_layers": 1,
        "encoder_ffn_dim": 2048,
        "encoder_n_points": 2,
        "encoder_attention_heads": 4,
        "decoder_layers": 2,
        "decoder_ffn_dim": 64,
        "decoder_n_points": 4,
        "decoder_attention_heads": 4,
    }


@pytest.mark.parametrize(
    "override",
    [
        "model.backbone.name=resnet18",
        "model.backbone.width_factor=0.5",
        "model.backbone.depths=[1, 1, 1, 1]",
    ],
)
def test_another_backbone_is_refused(override: str) -> None:
    from peer_work import peer_settings

    with pytest.raises(FocusDetrError, match="the peer has an ordinary resnet50"):
        peer_settings(load_config(None, (override,)).model, 3, 30)


class StandInWorker:
    """Answers for a process with torch."""

    def __enter__(self) -> StandInWorker:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def ask(self, function: Callable[[Any], object], work: Any) -> object:
        """The size of a peer with as many queries as tokens."""
        from peer_work import Size

        assert function.__name__ == "peer_size"
        assert work.settings["num_queries"] == 8 * 4 + 4 * 2 + 2 * 1 + 1
        return Size(parameters=12_000_000, multiply_adds=5_000_000_000)


def measure_with(monkeypatch: pytest.MonkeyPatch, measure: Callable[..., None]) -> None:
    """Let the comparison measure forward passes and training steps by a function of ours."""
    import peer_comparison

    def measure_training(
        works: dict[str, Any], parts: Iterable[str], repeat: int, timings: dict[str, Any]
    ) -> None:
        for part in parts:
            trained = {name: work.as_training(part) for name, work in works.items()}
            measure(trained, part, repeat, timings)

    monkeypatch.setattr(peer_comparison, "measure", measure)
    monkeypatch.setattr(peer_comparison, "measure_training", measure_training)


def test_both_are_counted_timed_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import peer
    import peer_comparison

    seen = []

    def measure(works: dict[str, Any], name: str, repeat: int, timings: dict[str, Any]) -> None:
        for number, (variant, work) in enumerate(works.items()):
            seen.append((variant, type(work).__name__, name, work.training))
            timings[variant].seconds[name] = [0.1 * (1 + 3 * number)] * repeat
            timings[variant].first_seconds[name] = 2.0
            timings[variant].peak_bytes[name] = (1 + number) * 2**30

    measure_with(monkeypatch, measure)
    monkeypatch.setattr(peer_comparison, "Worker", StandInWorker)
    path = tmp_path / "numbers.json"
    size = ("--height", "64", "--width", "32", "--repeat", "2", "--json", str(path))
    assert peer.main([*size, *SMALL]) == 0
    assert seen == [
        (variant, kind, part, training)
        for part, training in (("whole forward", None), ("whole step", "whole step"))
        for variant, kind in (("ours", "Work"), ("peer", "PeerWork"))
    ]
    saved = json.loads(path.read_text())
    assert saved["measured"]["peer"]["seconds"] == {
        "whole forward": [0.4] * 2,
        "whole step": [0.4] * 2,
    }
    ours = saved["sizes"]["ours"]
    assert 23.5e6 < ours["parameters"] < 25e6  # ResNet-50 without its classifier has 23.5
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    weights = f"{ours['parameters'] / 1e6:.2f}"
    assert ["million", "weights", weights, "12.00", f"{ours['parameters'] / 12e6:.2f}"] in lines
    times = ["100.0", "100.0", "400.0", "400.0", "0.25"]
    assert ["whole", "forward", *times] in lines and ["whole", "step", *times] in lines
    assert lines[-1] == ["whole", "step", "1.00", "2.00", "2.0", "2.0"]


SWIN = ("model.backbone.name=swin_tiny", "model.backbone.freeze_at=0")
SMALL_SWIN = (*SWIN, "model.backbone.width_factor=0.25", "model.backbone.depths=[1, 1, 1, 1]")


def test_backbones_alone_are_counted_timed_and_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import peer
    import peer_comparison

    seen = []

    class Counter(StandInWorker):
        """Answers for a process with torch."""

        def ask(self, function: Callable[[Any], object], work: Any) -> object:
            """A size."""
            from peer_work import Size

            assert function.__name__ == "peer_backbone_size"
            return Size(parameters=work.height, multiply_adds=work.width)

    def measure(works: dict[str, Any], name: str, repeat: int, timings: dict[str, Any]) -> None:
        for variant, work in works.items():
            seen.append((variant, type(work).__name__, work.training))
            timings[variant].seconds[name] = [0.1] * repeat
            timings[variant].first_seconds[name] = 2.0
            timings[variant].peak_bytes[name] = 2**30

    measure_with(monkeypatch, measure)
    monkeypatch.setattr(peer_comparison, "Worker", Counter)
    path = tmp_path / "numbers.json"
    options = ("--backbone", "--height", "64", "--width", "32", "--json", str(path))
    assert peer.main([*options, *SWIN]) == 0
    kinds = (("ours", "OurBackbone"), ("peer", "PeerBackbone"))
    assert seen == [(*kind, part) for part in (None, "whole step") for kind in kinds]
    sizes = json.loads(path.read_text())["sizes"]
    assert sizes["ours"]["parameters"] == 27_520_506
    assert sizes["peer"] == {"parameters": 64, "multiply_adds": 32}


@pytest.mark.parametrize("override", ["model.backbone.name=resnet50", "model.backbone.freeze_at=1"])
def test_only_swin_is_compared_alone(override: str, capsys: pytest.CaptureFixture[str]) -> None:
    import peer

    assert peer.main(["--backbone", *SWIN, override]) == 2
    assert "the peer has a Swin Transformer of which nothing is frozen" in capsys.readouterr().err


@pytest.mark.parametrize("training", [None, "whole step"])
def test_our_backbone_runs_alone(training: str | None) -> None:
    from backbone_work import OurBackbone

    config = load_config(None, (*SMALL_SWIN, "model.backbone.window=4", "train.batch_size=2"))
    parts = OurBackbone(config, 40, 56, "whole forward", training).build()
    (name,) = parts.calls()
    assert name == (training or "whole forward")
    first, again = parts.whole(), parts.whole()
    if training is None:
        assert [features.shape[-1] for features in again] == [48, 96, 192]
    else:
        assert float(again[0]) < float(first[0]) and bool(again[3])


@pytest.mark.parametrize(
    ("arguments", "present", "sentence"),
    [
        ((), (), "the comparison needs torch and transformers: python -m pip install torch=="),
        ((), ("torch",), "the comparison needs transformers: python -m pip install torch=="),
        (("--width", "8"), ("torch", "transformers"), "--width is 8, expected 32 or more"),
        (("--device", "GPU"), ("torch", "transformers"), "the peer is run on a CPU only"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(
    arguments: tuple[str, ...],
    present: tuple[str, ...],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import peer
    import peer_work

    absent = [name for name in peer_work.PACKAGES if name not in present]
    monkeypatch.setattr(peer_work, "missing_modules", lambda names: absent)
    assert peer.main(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1


def test_the_peers_process_does_not_load_mindspore() -> None:
    program = (
        "import sys, peer, peer_work, backbone_work, model_worker, focus_detr.data.random_batch\n"
        "sys.exit('mindspore' in sys.modules)"
    )
    paths = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'benchmarks'}"}
    finished = subprocess.run([sys.executable, "-c", program], env=paths, check=False)
    assert finished.returncode == 0
