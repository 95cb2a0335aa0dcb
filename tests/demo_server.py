"""The demo's server in a thread, and a client for it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from focus_detr.demo.app import build_app
from focus_detr.demo.limits import Limits
from focus_detr.demo.model_queue import DemoModel, ModelQueue
from focus_detr.demo.samples import Sample
from focus_detr.demo.serving import listen, make_server
from focus_detr.errors import FocusDetrError
from focus_detr.inference.kept_tokens import KeptTokens
from focus_detr.inference.looks import Looks
from focus_detr.inference.postprocess import Detections
from focus_detr.inference.prediction import Prediction

DETECTIONS = "/api/detections"


@dataclass
class MarkPredictor:
    """Finds a dog that is as likely as the picture's first pixel is red, and a fainter cat."""

    tokens: bool = True
    looks: bool = False  # tell two object tokens in the first layer, one in the second
    class_names: tuple[str, ...] = ("cat", "dog")
    hold: threading.Event = field(default_factory=threading.Event)  # waits until it is set
    begun: int = 0  # pictures that it was given
    seen: list[int] = field(default_factory=list)  # the first pixels

    def __post_init__(self) -> None:
        """Hold nothing."""
        self.hold.set()

    def predict(self, image: np.ndarray) -> Prediction:
        height, width = image.shape[:2]
        self.begun += 1
        assert self.hold.wait(20)
        red = int(image[0, 0, 0])
        if red == 1:
            raise ZeroDivisionError("a defect")
        if red == 2:
            raise FocusDetrError("scores that are not finite")
        self.seen.append(red)
        boxes = np.float32([[0, 0, width / 2, height / 2], [5, 5, width, height]])
        detections = Detections(boxes, np.float32([red / 255, 0.1]), np.array([1, 0]))
        looks = Looks(None, (np.array([0, 7]), np.array([1]))) if self.looks else None
        tokens = self._tokens() if self.tokens else None
        return Prediction(detections, ("dog", "cat"), tokens, looks)

    def _tokens(self) -> KeptTokens:
        """Two layers on grids of 2x3 and 1x2 cells: all cells, then those of the first row."""
        ranked = np.array([0, 1, 2, 6, 7, 3, 4, 5])
        return KeptTokens(ranked, np.array([8, 3]), ((2, 3), (1, 2)), (16, 24))


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        return self.json["error"]


@dataclass(frozen=True)
class Client:
    """Asks a server on this machine."""

    port: int
    queue: ModelQueue | None = None
    source: tuple[str, int] | None = None  # this side's address and port; None: the usual

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        method: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, 60, self.source)
        try:
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, body, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.headers), response.read())
        finally:
            connection.close()

    def detect(self, picture: bytes, query: str = "") -> Answer:
        return self.ask(f"{DETECTIONS}{query}", picture)


@contextmanager
def running(
    load: Callable[[], DemoModel], limits: Limits | None = None, samples: Sequence[Sample] = ()
) -> Iterator[Client]:
    """A server on a free port while the block runs."""
    limits = limits or Limits(per_minute=100_000, at_once=100)
    with listen("127.0.0.1", 0) as listener, ModelQueue(load, limits.waiting) as queue:
        port = listener.getsockname()[1]
        server = make_server(build_app(queue, limits, samples))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Client(port, queue)
        finally:
            server.should_exit = True
            thread.join()


def picture(red: int = 200, size: tuple[int, int] = (48, 64), suffix: str = ".png") -> bytes:
    """An image file of (height, width) in one colour."""
    image = np.full((*size, 3), (10, 20, red), np.uint8)  # BGR
    return cv2.imencode(suffix, image)[1].tobytes()
