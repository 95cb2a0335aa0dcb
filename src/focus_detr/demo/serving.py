"""Running the application until it is stopped."""

from __future__ import annotations

import socket
from contextlib import suppress

import uvicorn
from starlette.applications import Starlette

from focus_detr.errors import FocusDetrError

_STOPPING_SECONDS = 60  # for requests under way


def listen(host: str, port: int) -> socket.socket:
    """Take a port, before anything slow begins; clients that connect wait until it is served.

    Args:
        host: address of this machine; 0.0.0.0 or :: for all of them.
        port: 0 for any free one.

    Raises:
        FocusDetrError: another program has it, or there is no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        # Python adds the address to the system's words
        reason = str(getattr(error, "strerror", None) or error).partition(" (while")[0]
        raise FocusDetrError(f"cannot listen at {host} port {port}: {reason}") from error


def address_of(listener: socket.socket) -> str:
    """What to type into a browser on this machine."""
    host, port = listener.getsockname()[:2]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def make_server(app: Starlette) -> uvicorn.Server:
    """The web server around the application."""
    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
        # else any client here could choose the address that its requests are counted under
        proxy_headers=False,
        timeout_graceful_shutdown=_STOPPING_SECONDS,
    )
    return uvicorn.Server(config)


def serve(app: Starlette, listener: socket.socket) -> None:
    """Serve until Ctrl-C or SIGTERM; requests under way are answered first."""
    # the server answers what it has and then lets the signal through
    with suppress(KeyboardInterrupt):
        make_server(app).run(sockets=[listener])
