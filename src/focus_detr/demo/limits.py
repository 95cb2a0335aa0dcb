"""How much one client and all together may ask for."""

from __future__ import annotations

from dataclasses import dataclass, fields

from focus_detr.errors import FocusDetrError

MEGA = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Numbers beyond which a request is refused."""

    upload_bytes: int = 20 * MEGA
    pixels: int = 50 * MEGA  # of a picture
    per_minute: int = 60  # requests of one address
    at_once: int = 4  # of them, how many may be uploading, waiting or being worked on
    waiting: int = 32  # requests of all that are uploading, waiting or being worked on
    upload_seconds: float = 60.0  # for the whole upload

    def __post_init__(self) -> None:
        """Refuse what would let nothing through.

        Raises:
            FocusDetrError: a number is not positive.
        """
        for field in fields(self):
            if not getattr(self, field.name) > 0:
                raise FocusDetrError(f"the demo's limit {field.name} must be positive")
