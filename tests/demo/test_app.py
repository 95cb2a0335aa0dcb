"""The endpoint over HTTP, with a stand-in for the detector."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from demo_server import DETECTIONS, Client, MarkPredictor, picture, running

from focus_detr.demo.limits import Limits
from focus_detr.demo.model_queue import DemoModel
from focus_detr.demo.samples import load_samples


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "a.png").write_bytes(picture(90))
    (folder / "b.jpg").write_bytes(picture(120, suffix=".jpg"))
    return folder


@pytest.fixture(scope="module")
def client(pictures: Path) -> Iterator[Client]:
    limits = Limits(upload_bytes=200_000, pixels=100_000, per_minute=100_000)
    with running(_model(MarkPredictor()), limits, load_samples(pictures)) as client:
        yield client


def _model(predictor: MarkPredictor) -> Callable[[], DemoModel]:
    return lambda: DemoModel(predictor, 0.3, predictor.tokens)


def test_a_picture_gets_its_detections(client: Client) -> None:
    answer = client.detect(picture(204, (48, 64)))
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    assert answer.json["detections"] == [
        {"label": 1, "name": "dog", "score": 0.8, "box": [0.0, 0.0, 32.0, 24.0]}
    ]
    more = client.detect(picture(204), "?threshold=0.05&tokens=true").json
    assert len(more["detections"]) == 2 and len(more["tokens"]["layers"]) == 2


def test_the_page_and_its_files_come_from_here_alone(client: Client) -> None:
    page = client.ask("/")
    assert page.status == 200 and page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    for name in ("page.js", "painting.js", "server.js", "style.css", "icon.svg"):
        file = client.ask(f"/static/{name}")
        assert file.status == 200
        links = file.body.replace(b"http://www.w3.org/2000/svg", b"")
        assert b"http://" not in links and b"https://" not in links


def test_the_page_learns_what_there_is(client: Client) -> None:
    model = client.ask("/api/model").json
    assert [item["name"] for item in model["classes"]] == ["cat", "dog"]
    assert all(len(item["colour"]) == 7 for item in model["classes"])
    assert model["limits"] == {
        "upload_bytes": 200_000,
        "pixels": 100_000,
        "requests_per_minute": 100_000,
    }
    assert (model["threshold"], model["tokens"]) == (0.3, True)
    first = model["pictures"][0]
    assert first == {"name": "a.png", "url": "/pictures/0", "thumbnail": "/pictures/0/thumbnail"}


def test_pictures_on_offer_are_sent(client: Client, pictures: Path) -> None:
    assert client.ask("/pictures/0").body == (pictures / "a.png").read_bytes()
    assert client.ask("/pictures/1").headers["content-type"] == "image/jpeg"
    assert client.ask("/pictures/1/thumbnail").body.startswith(b"\xff\xd8")


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/nothing", 404, "there is nothing at /nothing"),
        ("/pictures/2", 404, "there is no picture 2"),
        ("/pictures/a.png", 404, "there is nothing at /pictures/a.png"),
        ("/pictures/-1", 404, "there is nothing at /pictures/-1"),
        ("/static/../app.py", 404, "there is nothing at"),
        ("/static/%2e%2e/app.py", 404, "there is nothing at"),
        ("/static/..%2fapp.py", 404, "there is nothing at"),
        ("/static//etc/passwd", 404, "there is nothing at"),
        ("/pictures/..%2f..%2fetc%2fpasswd", 404, "there is nothing at"),
        (DETECTIONS, 405, f"GET does not work at {DETECTIONS}"),
    ],
)
def test_unknown_addresses_are_json(client: Client, path: str, status: int, sentence: str) -> None:
    answer = client.ask(path)
    assert answer.status == status and sentence in answer.error


@pytest.mark.parametrize(
    ("data", "query", "status", "sentence"),
    [
        (b"", "", 400, "the request is empty: send the picture file as its body"),
        (b"no picture at all", "", 415, "is no picture that is known here"),
        (picture(suffix=".jpg")[:-20], "", 422, "is cut off"),
        (picture(size=(10, 10)), "", 422, "each side needs at least 30"),
        (picture(size=(400, 400)), "", 413, "too many pixels (400x400)"),
        (b"x" * 200_001, "", 413, "the file is too large: at most 0.2 MB"),
        (b"x" * 5_000_000, "", 413, "the file is too large: at most 0.2 MB"),
        (picture(), "?threshold=7", 400, "threshold '7' is no number"),
        (picture(), "?file=/etc/passwd", 400, "unknown option file"),
    ],
    ids=lambda value: repr(value)[:12],
)
def test_what_is_wrong_is_one_sentence(
    client: Client, data: bytes, query: str, status: int, sentence: str
) -> None:
    answer = client.detect(data, query)
    assert answer.status == status and sentence in answer.error
    assert answer.json.keys() == {"error"} and "\n" not in answer.error
    assert client.detect(picture()).status == 200


def test_a_form_is_told_what_to_send_instead(client: Client) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = client.ask(DETECTIONS, b"--x\r\n", headers=headers)
    assert answer.status == 415 and "curl --data-binary @photo.jpg" in answer.error


def test_a_large_file_without_announced_size_is_refused(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=20)
    connection.request("POST", DETECTIONS, iter([b"x" * 50_000] * 8), encode_chunked=True)
    response = connection.getresponse()
    assert response.status == 413 and b"too large" in response.read()
    connection.close()


def test_a_client_that_asks_first_need_not_send_what_is_too_large(client: Client) -> None:
    head = f"POST {DETECTIONS} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
    with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
        connection.sendall(f"{head}Content-Length: 300000\r\n\r\n".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_clients_that_leave_do_no_harm(client: Client) -> None:
    for sent in (b"", b"\x89PNG"):
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            head = f"POST {DETECTIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
            connection.sendall(head.encode() + sent)
    assert client.detect(picture()).status == 200
    _wait_until(lambda: client.ask("/api/status").json["under_way"] == 0)


def test_a_slow_upload_ends() -> None:
    limits = Limits(upload_seconds=0.2)
    head = f"POST {DETECTIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n"
    with running(_model(MarkPredictor()), limits) as client:
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            connection.sendall(head.encode())
            answer = connection.recv(1000)
        assert answer.startswith(b"HTTP/1.1 408")
        assert client.detect(picture()).status == 200


def test_too_many_requests_from_one_address_are_refused() -> None:
    with running(_model(MarkPredictor()), Limits(per_minute=3)) as client:
        answers = [client.detect(picture()) for _ in range(5)]
        assert [answer.status for answer in answers] == [200] * 3 + [429] * 2
        assert "at most 3 a minute" in answers[-1].error
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
        forwarded = {"X-Forwarded-For": "10.1.1.1"}  # a name that a client gives itself
        assert client.ask(DETECTIONS, picture(), headers=forwarded).status == 429
        assert client.ask("/").status == 200


def test_pictures_on_offer_have_an_allowance_of_their_own(pictures: Path) -> None:
    limits, samples = Limits(per_minute=2), load_samples(pictures)
    with running(_model(MarkPredictor()), limits, samples) as client:
        answers = [client.ask("/pictures/0") for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert "at most 2 a minute" in answers[-1].error
        assert all(client.ask("/pictures/0/thumbnail").status == 200 for _ in range(3))
        assert client.detect(picture()).status == 200


def test_slow_uploads_of_one_address_leave_places_to_others() -> None:
    head = f"POST {DETECTIONS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode()
    with running(_model(MarkPredictor()), Limits(at_once=2)) as client, ExitStack() as slow:
        for _ in range(2):
            address = ("127.0.0.1", client.port)
            slow.enter_context(socket.create_connection(address, timeout=20)).sendall(head)
        _wait_until(lambda: client.ask("/api/status").json["under_way"] == 2)
        answer = client.detect(picture())
        assert answer.status == 429 and "at most 2 from one address" in answer.error
        other = Client(client.port, source=("127.0.0.2", 0)).detect(picture())
        assert other.status == 200
        slow.close()
        _wait_until(lambda: client.ask("/api/status").json["under_way"] == 0)
        assert client.detect(picture()).status == 200


def test_a_defect_is_json_too_and_the_next_picture_is_served(client: Client) -> None:
    answer = client.detect(picture(red=1))
    assert answer.status == 500 and "which is a defect" in answer.error
    assert "ZeroDivisionError" not in answer.error
    assert client.detect(picture()).status == 200


def test_several_at_once_each_get_their_own_answer() -> None:
    predictor = MarkPredictor()
    with running(_model(predictor)) as client, ThreadPoolExecutor(12) as people:
        reds = list(range(100, 196))
        answers = list(people.map(lambda red: client.detect(picture(red)), reds))
        scores = [answer.json["detections"][0]["score"] for answer in answers]
        assert scores == pytest.approx([red / 255 for red in reds], abs=1e-5)
        assert client.ask("/api/status").json == {"under_way": 0, "done": 96}
    assert sorted(predictor.seen) == reds


def test_those_who_wait_are_served_in_order_and_the_page_stays_open() -> None:
    predictor = MarkPredictor()
    with running(_model(predictor)) as client, ThreadPoolExecutor(5) as people:
        predictor.hold.clear()
        waiting = []
        for place, red in enumerate((50, 40, 30, 20, 10)):
            waiting.append(people.submit(client.detect, picture(red)))
            _wait_until(lambda place=place: predictor.begun + _queued(client) == place + 1)
        assert client.ask("/").status == 200
        assert client.ask("/api/status").json == {"under_way": 5, "done": 0}
        predictor.hold.set()
        assert [answer.result().status for answer in waiting] == [200] * 5
    assert predictor.seen == [50, 40, 30, 20, 10]


def test_a_full_queue_turns_away_at_once() -> None:
    predictor = MarkPredictor()
    limits = Limits(waiting=2)
    with running(_model(predictor), limits) as client, ThreadPoolExecutor(2) as people:
        predictor.hold.clear()
        waiting = [people.submit(client.detect, picture()) for _ in range(2)]
        _wait_until(lambda: client.ask("/api/status").json["under_way"] == 2)
        answer = client.detect(picture())
        assert answer.status == 503 and "2 pictures in the queue already" in answer.error
        predictor.hold.set()
        assert [one.result().status for one in waiting] == [200, 200]


def test_stopping_answers_what_is_under_way() -> None:
    predictor = MarkPredictor()
    with ThreadPoolExecutor(1) as people:
        with running(_model(predictor)) as client:
            predictor.hold.clear()
            waiting = people.submit(client.detect, picture())
            _wait_until(lambda: client.ask("/api/status").json["under_way"] == 1)
            people_set = ThreadPoolExecutor(1).submit(_set_later, predictor)
        assert waiting.result().status == 200
        people_set.result()


def _set_later(predictor: MarkPredictor) -> None:
    time.sleep(0.3)
    predictor.hold.set()


def _queued(client: Client) -> int:
    """Pictures that wait for the detector to finish another."""
    assert client.queue is not None
    return client.queue._thread._work_queue.qsize()


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
