"""The page in a real browser, with a stand-in for the detector."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from demo_server import DETECTIONS, Client, MarkPredictor, picture, running
from headless_browser import DETECTED, headless_browser, upload

from focus_detr.config.schema import ModelConfig
from focus_detr.demo.costs import PictureCosts
from focus_detr.demo.limits import Limits
from focus_detr.demo.model_queue import DemoModel
from focus_detr.demo.samples import load_samples

UPLOAD_LIMIT = 300_000

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with headless_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server with two pictures on offer."""
    folder = tmp_path_factory.mktemp("page")
    for name in ("first.png", "second.png"):
        (folder / name).write_bytes(picture(204, (60, 90)))
    limits = Limits(upload_bytes=UPLOAD_LIMIT, per_minute=100_000, at_once=100)
    with running(_with_tokens, limits, load_samples(folder)) as client:
        yield client


def _with_tokens() -> DemoModel:
    costs = PictureCosts(ModelConfig(), 80)
    return DemoModel(MarkPredictor(looks=True), 0.3, tokens=True, costs=costs)


@pytest.fixture
def page(browser: Any, client: Client) -> Iterator[Any]:
    """The page, freshly opened; it must not write errors to the console."""
    yield from _opened(browser, client.address)


def _opened(browser: Any, address: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1100, "height": 800})
    page.set_default_timeout(15_000)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address)
    page.wait_for_selector("#about:has-text('detects')")
    yield page
    page.close()
    assert complaints == []


def _slide(page: Any, score: float) -> None:
    page.eval_on_selector(
        "#score", "(it, to) => { it.value = to; it.dispatchEvent(new Event('input')) }", score
    )


def _pixels(page: Any) -> str:
    return page.eval_on_selector("#canvas", "it => it.toDataURL()")


def test_an_upload_shows_its_boxes_and_the_slider_needs_no_request(page: Any) -> None:
    upload(page, picture(204))  # a dog of 0.8 and a cat of 0.1
    page.wait_for_selector(DETECTED)
    assert page.inner_text("#found li") == "dog\n0.80"
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    pictures = []
    for score, number in ((0.05, 2), (0.5, 1), (1, 0)):
        _slide(page, score)
        assert page.inner_text("#score-value") == f"{score:.2f}"
        assert page.locator("#found li").count() == number
        assert page.inner_text("#count") == f"{number} shown of 2 found"
        pictures.append(_pixels(page))
    assert len(set(pictures)) == 3
    assert requests == []


def test_pointing_at_an_entry_shows_its_box_alone(page: Any) -> None:
    upload(page, picture(204))
    page.wait_for_selector(DETECTED)
    before = _pixels(page)
    _slide(page, 0.05)
    both = _pixels(page)
    page.hover("#found li:nth-child(2)")
    assert len({before, both, _pixels(page)}) == 3
    page.hover("h1")
    assert _pixels(page) == both


def test_layers_show_the_kept_tokens(page: Any) -> None:
    upload(page, picture(204))
    page.wait_for_selector(DETECTED)
    boxes = _pixels(page)
    page.click("text=Layer 2")
    assert "Layer 2 refines 3 of 8 tokens (38 %)" in page.inner_text("#caption")
    everything = _pixels(page)
    page.click("#levels button:nth-child(2)")
    assert page.inner_text("#levels button:nth-child(2)").startswith("Stride 8: 50 %")
    assert len({boxes, everything, _pixels(page)}) == 3
    page.click("#views >> text=Boxes")
    assert _pixels(page) == boxes


def test_object_tokens_and_the_cost_are_shown(page: Any) -> None:
    upload(page, picture(204))
    page.wait_for_selector(DETECTED)
    assert "billion multiply-adds; with all tokens" in page.inner_text("#caption")
    page.click("text=Layer 1")
    before = _pixels(page)
    page.click("text=Object tokens: 2")
    marked = _pixels(page)
    page.click("text=Layer 2")
    assert page.locator("text=Object tokens: 1").get_attribute("aria-pressed") == "true"
    page.click("text=Object tokens: 1")
    page.click("text=Layer 1")
    assert before == _pixels(page) != marked


def test_a_picture_on_offer_is_one_click(page: Any) -> None:
    assert page.locator("#samples button").count() == 2
    page.click("#samples button:nth-child(2)")
    page.wait_for_selector(DETECTED)
    assert page.inner_text("#caption").startswith("90 x 60 pixels")
    pressed = page.locator("#samples button[aria-pressed=true] img")
    assert pressed.get_attribute("alt") == "second.png"


def test_a_file_dropped_anywhere_is_taken(page: Any) -> None:
    page.evaluate(
        """async () => {
            const blob = await (await fetch("/pictures/0")).blob();
            const data = new DataTransfer();
            data.items.add(new File([blob], "dropped.png", { type: "image/png" }));
            const drop = new DragEvent("drop", { dataTransfer: data, bubbles: true });
            document.body.dispatchEvent(drop);
        }"""
    )
    page.wait_for_selector(DETECTED)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"no picture", "The file is no picture that is known here"),
        (picture()[:-20], "Image in the request is cut off"),
        (bytes(UPLOAD_LIMIT + 1), "The file is too large: at most 0.3 MB"),
    ],
    ids=["bad", "cut off", "large"],
)
def test_a_bad_file_is_explained_and_the_next_one_works(
    page: Any, data: bytes, sentence: str
) -> None:
    upload(page, picture())
    page.wait_for_selector(DETECTED)
    upload(page, data)
    page.wait_for_selector("#message:not([hidden])")
    assert sentence in page.inner_text("#message")
    assert page.locator("#found li").count() == 0 and page.is_hidden("#canvas")
    upload(page, picture())
    page.wait_for_selector(DETECTED)
    assert page.is_hidden("#message")


def test_the_servers_own_refusal_of_a_large_file_reaches_the_browser(page: Any) -> None:
    answer = page.evaluate(
        """async (address) => {
            const response = await fetch(address, { method: "POST", body: new Uint8Array(3e6) });
            return [response.status, (await response.json()).error];
        }""",
        DETECTIONS,
    )
    assert answer == [413, "the file is too large: at most 0.3 MB"]


def test_several_people_at_once_each_see_their_own_picture(browser: Any, client: Client) -> None:
    """Four pages, and others at the endpoint meanwhile."""
    sizes = [(64, 90), (70, 60), (48, 96), (80, 80)]
    pages = [browser.new_page() for _ in sizes]
    with ThreadPoolExecutor(4) as others:
        asking = [others.submit(client.detect, picture(red)) for red in range(20, 40)]
        for page, size in zip(pages, sizes, strict=True):
            page.goto(client.address)
            page.wait_for_selector("#about:has-text('detects')")
            upload(page, picture(204, size))
        for page, (height, width) in zip(pages, sizes, strict=True):
            page.wait_for_selector(DETECTED)
            assert page.inner_text("#caption").startswith(f"{width} x {height} pixels")
            page.close()
        assert [one.result().status for one in asking] == [200] * 20


def test_the_last_choice_wins_when_somebody_is_quick(browser: Any) -> None:
    predictor = MarkPredictor()
    with running(lambda: DemoModel(predictor, 0.3, tokens=True)) as client:
        for page in _opened(browser, client.address):
            predictor.hold.clear()
            upload(page, picture(150))
            page.wait_for_selector("#busy:not([hidden])")
            upload(page, picture(204))
            predictor.hold.set()
            page.wait_for_selector(DETECTED)
            assert page.inner_text("#found li span") == "0.80"


def test_an_exported_model_shows_boxes_without_tabs(browser: Any) -> None:
    predictor = MarkPredictor(tokens=False)
    with running(lambda: DemoModel(predictor, 0.3, tokens=False)) as client:
        for page in _opened(browser, client.address):
            assert "without tokens" in page.inner_text("#about")
            upload(page, picture(204))
            page.wait_for_selector(DETECTED)
            assert page.inner_text("#count") == "1 shown of 2 found"
            assert page.is_hidden("#views") and page.is_hidden("#levels")


def test_a_server_that_is_gone_is_named(browser: Any) -> None:
    with running(_with_tokens) as client:
        pages = _opened(browser, client.address)
        page = next(pages)
    upload(page, picture())
    page.wait_for_selector("#message:not([hidden])")
    assert "server cannot be reached" in page.inner_text("#message")
