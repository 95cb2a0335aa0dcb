"""A model is loaded only with the sidecar that was written for it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from exported_files import SIDECAR, write_model

from focus_detr.deploy.sidecar import read_sidecar, sidecar_path, write_sidecar
from focus_detr.errors import FocusDetrError
from focus_detr.io.files import sha256_of


def test_what_was_written_is_read(tmp_path: Path) -> None:
    model = write_model(tmp_path / "a.mindir")
    assert sidecar_path(model) == tmp_path / "a.mindir.json"
    assert read_sidecar(model) == replace(SIDECAR, file_sha256=sha256_of(model))


def test_any_number_of_pictures_is_null(tmp_path: Path) -> None:
    model = tmp_path / "a.onnx"
    model.write_bytes(b"a model")
    graph = replace(SIDECAR.graph, batch=None, engine="onnx")
    write_sidecar(model, replace(SIDECAR, file_sha256=sha256_of(model), graph=graph))
    assert json.loads(sidecar_path(model).read_text())["graph"]["batch"] is None
    assert read_sidecar(model).graph == graph


@pytest.mark.parametrize("version", [1, 2])
def test_older_versions_are_read_too(tmp_path: Path, version: int) -> None:
    model = write_model(tmp_path / "a.mindir")
    plain = json.loads(sidecar_path(model).read_text())
    assert (plain["format_version"], plain.pop("max_detections")) == (3, 300)
    plain["format_version"] = version
    if version == 1:
        del plain["graph"]["token_grids"]
    sidecar_path(model).write_text(json.dumps(plain))
    found = read_sidecar(model)
    assert (found.graph, found.max_detections) == (SIDECAR.graph, None)


@pytest.mark.parametrize("batch", [0, -1])
def test_no_pictures_at_once_is_not_any_number(tmp_path: Path, batch: int) -> None:
    model = write_model(tmp_path / "a.mindir")
    plain = json.loads(sidecar_path(model).read_text())
    plain["graph"]["batch"] = batch
    sidecar_path(model).write_text(json.dumps(plain))
    with pytest.raises(FocusDetrError, match=rf"graph\.batch is {batch}, which is out of range"):
        read_sidecar(model)


@pytest.mark.parametrize("content", [b"a mode", b"b model", b""], ids=["cut", "other", "empty"])
def test_another_or_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    model = write_model(tmp_path / "a.mindir")
    model.write_bytes(content)
    with pytest.raises(FocusDetrError, match=r"a\.mindir\.json belongs to another file"):
        read_sidecar(model)


@pytest.mark.parametrize(
    ("section", "key"), [(None, "pixel_mean"), (None, "graph"), ("graph", "batch")]
)
def test_a_missing_key_is_named(tmp_path: Path, section: str | None, key: str) -> None:
    model = write_model(tmp_path / "a.mindir")
    plain = json.loads(sidecar_path(model).read_text())
    del (plain[section] if section else plain)[key]
    sidecar_path(model).write_text(json.dumps(plain))
    with pytest.raises(FocusDetrError, match=rf"lacks {section + '.' if section else ''}{key}$"):
        read_sidecar(model)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("short_side", "big", "short_side is 'big', expected a whole number"),
        ("format_version", 9, "format version 9, this program reads 1 to 3"),
        ("graph", [], "graph is no mapping"),
        ("extra", 1, "unknown setting extra"),
        ("short_side", 0, "short_side is 0, which is out of range"),
        ("max_side", -8, "max_side is -8, which is out of range"),
        ("pixel_std", [1.0, 0.0, 1.0], r"pixel_std is \(1.0, 0.0, 1.0\), which is out of range"),
        ("score_threshold", 7.0, "score_threshold is 7.0, which is out of range"),
        ("overlap_limit", -0.5, "overlap_limit is -0.5, which is out of range"),
        ("max_detections", 0, "max_detections is 0, which is out of range"),
        ("class_names", [], r"class_names is \(\), which is out of range"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused(
    tmp_path: Path, key: str, value: object, message: str
) -> None:
    model = write_model(tmp_path / "a.mindir")
    plain = json.loads(sidecar_path(model).read_text()) | {key: value}
    sidecar_path(model).write_text(json.dumps(plain))
    with pytest.raises(FocusDetrError, match=message):
        read_sidecar(model)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(FocusDetrError, match=r"there is no model .*a\.mindir"):
        read_sidecar(tmp_path / "a.mindir")
    (tmp_path / "a.mindir").write_bytes(b"x")
    with pytest.raises(FocusDetrError, match=r"needs .*a\.mindir\.json"):
        read_sidecar(tmp_path / "a.mindir")
