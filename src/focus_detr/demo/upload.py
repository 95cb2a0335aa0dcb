"""A picture on its way from the client."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.requests import ClientDisconnect, Request

from focus_detr.demo.limits import MEGA
from focus_detr.demo.refusals import RefusalError

_DISCARDED_BYTES = 100 * MEGA
_DISCARDED_SECONDS = 10.0


class Upload:
    """The body of a request, of which never more than the limit is kept."""

    def __init__(self, request: Request) -> None:
        """Read nothing yet."""
        self._chunks = request.stream()
        announced = request.headers.get("content-length", "")
        self._announced = int(announced) if announced.isdecimal() else 0
        self._held_back = "expect" in request.headers  # until we begin to read

    async def read(self, most: int, seconds: float) -> bytes:
        """All of it.

        Args:
            most: bytes.
            seconds: for the whole upload.

        Raises:
            RefusalError: it is empty or too large, takes too long or breaks off.
        """
        try:
            return await asyncio.wait_for(self._read(most), seconds)
        except asyncio.TimeoutError as error:
            raise RefusalError(408, f"the upload took longer than {seconds:g} s") from error
        except ClientDisconnect as error:
            raise RefusalError(400, "the upload broke off") from error

    async def discard(self) -> None:
        """Take the rest and forget it: a browser reads no answer before it has sent everything."""
        if self._held_back:
            return
        with suppress(asyncio.TimeoutError, ClientDisconnect):
            await asyncio.wait_for(self._discard(), _DISCARDED_SECONDS)

    async def _read(self, most: int) -> bytes:
        too_large = RefusalError(413, f"the file is too large: at most {most / MEGA:g} MB")
        if self._announced > most:
            raise too_large
        self._held_back = False
        kept = bytearray()
        async for chunk in self._chunks:
            kept += chunk
            if len(kept) > most:
                raise too_large
        if not kept:
            raise RefusalError(400, "the request is empty: send the picture file as its body")
        return bytes(kept)

    async def _discard(self) -> None:
        if self._announced > _DISCARDED_BYTES:
            return
        size = 0
        async for chunk in self._chunks:
            size += len(chunk)
            if size > _DISCARDED_BYTES:
                return
