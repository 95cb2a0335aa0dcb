"""The demo's addresses: the page, its pictures, and the endpoint that detects."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from focus_detr.demo.answers import Wanted, detect
from focus_detr.demo.limits import Limits
from focus_detr.demo.model_queue import ModelQueue
from focus_detr.demo.pictures import check_picture
from focus_detr.demo.rate import RateLimiter
from focus_detr.demo.refusals import RefusalError
from focus_detr.demo.samples import Sample
from focus_detr.demo.shares import Shares
from focus_detr.demo.upload import Upload
from focus_detr.inference.palette import class_colour

PAGE_FOLDER = Path(__file__).with_name("static")

_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Endpoints:
    """What the demo answers."""

    def __init__(self, queue: ModelQueue, limits: Limits, samples: Sequence[Sample]) -> None:
        """Keep what answers are made of."""
        self._queue = queue
        self._limits = limits
        self._samples = samples
        self._rate = RateLimiter(limits.per_minute)
        # counted apart, as the page fetches a picture on offer and then asks for its detections
        self._picture_rate = RateLimiter(limits.per_minute)
        self._shares = Shares(limits.at_once)

    async def page(self, request: Request) -> Response:
        """The web page."""
        return FileResponse(PAGE_FOLDER / "index.html", headers=_PAGE_HEADERS)

    async def model(self, request: Request) -> Response:
        """Classes, usual threshold, limits, and the pictures on offer."""
        model, limits = self._queue.model, self._limits
        classes = [
            {"name": name, "colour": "#{:02x}{:02x}{:02x}".format(*class_colour(label))}
            for label, name in enumerate(model.predictor.class_names)
        ]
        return JSONResponse(
            {
                "classes": classes,
                "threshold": model.threshold,
                "tokens": model.tokens,
                "limits": {
                    "upload_bytes": limits.upload_bytes,
                    "pixels": limits.pixels,
                    "requests_per_minute": limits.per_minute,
                },
                "pictures": [_sample_record(*item) for item in enumerate(self._samples)],
            }
        )

    async def status(self, request: Request) -> Response:
        """How many requests are under way, and how many pictures were seen."""
        return JSONResponse({"under_way": self._queue.under_way, "done": self._queue.done})

    async def detections(self, request: Request) -> Response:
        """Detect on the picture in the request's body."""
        upload = Upload(request)
        try:
            return JSONResponse(await self._detect(request, upload))
        except RefusalError:
            await upload.discard()
            raise

    async def _detect(self, request: Request, upload: Upload) -> dict[str, Any]:
        self._rate.check(_client(request))
        wanted = Wanted.parse(request.query_params, self._queue.model)
        _refuse_forms(request)
        with self._shares.held(_client(request)), self._queue.place():
            data = await upload.read(self._limits.upload_bytes, self._limits.upload_seconds)
            check_picture(data, self._limits.pixels)
            return await self._queue.run(partial(detect, data, wanted))

    async def picture(self, request: Request) -> Response:
        """A picture on offer, as it is."""
        self._picture_rate.check(_client(request))
        sample = self._sample(request)
        return FileResponse(sample.path, media_type=sample.media_type)

    async def thumbnail(self, request: Request) -> Response:
        """A picture on offer, small; not counted, as the page shows all of them at once."""
        return Response(self._sample(request).thumbnail, media_type="image/jpeg")

    def _sample(self, request: Request) -> Sample:
        number = request.path_params["number"]
        if number >= len(self._samples):
            raise RefusalError(404, f"there is no picture {number}")
        return self._samples[number]


def build_app(queue: ModelQueue, limits: Limits, samples: Sequence[Sample]) -> Starlette:
    """The application.

    Args:
        queue: leads to the detector.
        limits: beyond which requests are refused.
        samples: pictures on offer.
    """
    at = Endpoints(queue, limits, samples)
    routes = [
        Route("/", at.page),
        Route("/api/model", at.model),
        Route("/api/status", at.status),
        Route("/api/detections", at.detections, methods=["POST"]),
        Route("/pictures/{number:int}", at.picture),
        Route("/pictures/{number:int}/thumbnail", at.thumbnail),
        Mount("/static", StaticFiles(directory=PAGE_FOLDER)),
    ]
    return Starlette(
        routes=routes,
        exception_handlers={
            RefusalError: _refusal,
            HTTPException: _http_error,
            Exception: _defect,
        },
    )


def _sample_record(number: int, sample: Sample) -> dict[str, str]:
    address = f"/pictures/{number}"
    return {"name": sample.path.name, "url": address, "thumbnail": f"{address}/thumbnail"}


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _refuse_forms(request: Request) -> None:
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise RefusalError(
            415,
            "send the picture file itself as the request's body, not as a form: "
            "curl --data-binary @photo.jpg",
        )


async def _refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusalError)
    return JSONResponse({"error": error.sentence}, error.status, error.headers)


async def _http_error(request: Request, error: Exception) -> Response:
    """An unknown address, or a method that it does not have."""
    assert isinstance(error, HTTPException)
    path = request.url.path
    sentences = {
        404: f"there is nothing at {path}",
        405: f"{request.method} does not work at {path}",
    }
    sentence = sentences.get(error.status_code, error.detail)
    return JSONResponse({"error": sentence}, error.status_code, error.headers)


async def _defect(request: Request, error: Exception) -> Response:
    """The traceback goes to the server's log."""
    sentence = "the demo failed on this request, which is a defect; its log says more"
    return JSONResponse({"error": sentence}, 500)
