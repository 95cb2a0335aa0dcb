"""What was found, as JSON."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from demo_server import MarkPredictor, picture

from focus_detr.config.schema import ModelConfig
from focus_detr.demo.answers import Wanted, detect, token_record
from focus_detr.demo.costs import PictureCosts
from focus_detr.demo.model_queue import DemoModel
from focus_detr.demo.refusals import RefusalError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.models.flops import count_multiply_adds

MODEL = DemoModel(MarkPredictor(), 0.3, tokens=True)


def test_detections_are_listed_in_pixels_from_the_threshold_on() -> None:
    answer = detect(picture(204, (48, 64)), Wanted(0.3, tokens=False), MODEL)
    assert answer.pop("milliseconds") >= 0
    dog = {"label": 1, "name": "dog", "score": 0.8, "box": [0.0, 0.0, 32.0, 24.0]}
    assert answer == {"width": 64, "height": 48, "detections": [dog]}
    everything = detect(picture(204), Wanted(0.0, tokens=False), MODEL)
    assert [item["name"] for item in everything["detections"]] == ["dog", "cat"]


def test_cells_are_told_as_bits() -> None:
    shapes = ((5, 7), (3, 4))  # padded grids; the image touches 4x6 and 2x3 cells
    rng = np.random.default_rng(0)
    tokens = KeptTokens(rng.permutation(47)[:30], np.array([30, 11]), shapes, (31, 45))
    record = token_record(tokens)
    assert (record["network_width"], record["network_height"]) == (45, 31)
    for layer, layer_record in enumerate(record["layers"]):
        assert layer_record["cells"] == 24 + 6
        assert layer_record["kept"] == sum(level["kept"] for level in layer_record["levels"])
        for number, level in enumerate(layer_record["levels"]):
            cells = level["rows"] * level["columns"]
            bits = np.unpackbits(np.frombuffer(base64.b64decode(level["cells"]), np.uint8))
            grid = bits[:cells].reshape(level["rows"], level["columns"])
            np.testing.assert_array_equal(grid, tokens.kept_cells(layer, number))
            assert level["kept"] == grid.sum() and level["stride"] == 8 * 2**number


def test_tokens_come_only_when_asked_for() -> None:
    assert "tokens" not in detect(picture(), Wanted(0.0, tokens=False), MODEL)
    answer = detect(picture(), Wanted(0.0, tokens=True), MODEL)
    assert [layer["kept"] for layer in answer["tokens"]["layers"]] == [8, 3]


def test_object_tokens_are_told_like_kept_ones() -> None:
    watched = DemoModel(MarkPredictor(looks=True), 0.3, tokens=True)
    layers = detect(picture(), Wanted(0.0, tokens=True), watched)["tokens"]["layers"]
    assert [layer["objects"] for layer in layers] == [2, 1]
    bits = [
        [np.unpackbits(np.frombuffer(base64.b64decode(level["objects"]), np.uint8)).tolist()
         for level in layer["levels"]]
        for layer in layers
    ]  # fmt: skip
    # of 2 x 3 and 1 x 2 cells: the first and the last one, then the second one
    assert [levels[0][:6] for levels in bits] == [[1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0]]
    assert [levels[1][:2] for levels in bits] == [[0, 1], [0, 0]]
    plain = detect(picture(), Wanted(0.0, tokens=True), MODEL)["tokens"]["layers"]
    assert "objects" not in plain[0] and "objects" not in plain[0]["levels"][0]


def test_the_cost_is_that_of_the_picture_as_the_network_sees_it() -> None:
    costs = PictureCosts(ModelConfig(), 80)
    model = DemoModel(MarkPredictor(), 0.3, tokens=True, costs=costs)
    answer = detect(picture(), Wanted(0.0, tokens=True), model)
    assert answer["cost"]["multiply_adds"] == count_multiply_adds(ModelConfig(), 80, 16, 24).total
    assert answer["cost"]["multiply_adds"] < answer["cost"]["dense"]
    found = costs.of((800, 1066))
    assert {name: round(cost / 1e9, 2) for name, cost in found.items()} == {
        "multiply_adds": 149.2,
        "dense": 243.01,
    }
    assert "cost" not in detect(picture(), Wanted(0.0, tokens=False), model)


def test_the_model_has_the_usual_threshold() -> None:
    assert Wanted.parse({}, MODEL) == Wanted(0.3, tokens=False)
    assert Wanted.parse({"threshold": "1", "tokens": "True"}, MODEL) == Wanted(1.0, tokens=True)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"threshold": "nan"}, "threshold 'nan' is no number from 0 to 1"),
        ({"threshold": "1.5"}, "threshold '1.5' is no number"),
        ({"tokens": "maybe"}, "tokens 'maybe' is neither true nor false"),
        ({"path": "/etc/passwd"}, "unknown option path; there are threshold and tokens"),
    ],
)
def test_options_that_make_no_sense_are_refused(query: dict[str, str], sentence: str) -> None:
    with pytest.raises(RefusalError, match=sentence) as caught:
        Wanted.parse(query, MODEL)
    assert caught.value.status == 400


def test_an_exported_model_has_no_tokens_to_tell() -> None:
    exported = DemoModel(MarkPredictor(tokens=False), 0.3, tokens=False)
    with pytest.raises(RefusalError, match="exported without --tokens"):
        Wanted.parse({"tokens": "1"}, exported)


def test_a_picture_that_the_detector_refuses_is_the_clients_fault() -> None:
    with pytest.raises(RefusalError, match="the picture is 8x9 pixels") as caught:
        detect(picture(size=(9, 8)), Wanted(0.3, tokens=False), MODEL)
    assert caught.value.status == 422


def test_a_detector_that_fails_on_a_good_picture_is_our_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(RefusalError, match="scores that are not finite") as caught:
        detect(picture(red=2), Wanted(0.3, tokens=False), MODEL)
    assert caught.value.status == 500
    assert "a picture was not answered: scores that are not finite" in caplog.text
