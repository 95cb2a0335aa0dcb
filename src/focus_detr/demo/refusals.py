"""Requests that the demo does not follow."""

from __future__ import annotations

from collections.abc import Mapping


class RefusalError(Exception):
    """A request that is not followed; the client gets its sentence as JSON."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None):
        """Keep the answer.

        Args:
            status: of HTTP.
            sentence: what is wrong and how to do it right.
            headers: of the answer.
        """
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = dict(headers or {})
