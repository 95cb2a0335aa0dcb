"""How much of the queue one client may hold."""

from __future__ import annotations

import pytest

from focus_detr.demo.refusals import RefusalError
from focus_detr.demo.shares import Shares


def test_one_client_holds_no_more_than_its_share_and_gives_it_back() -> None:
    shares = Shares(2)
    with pytest.raises(ZeroDivisionError), shares.held("a"), shares.held("a"):
        with pytest.raises(RefusalError, match="at most 2 from one address") as caught:
            shares.held("a").__enter__()
        assert caught.value.status == 429 and "Retry-After" in caught.value.headers
        with shares.held("b"), shares.held("b"):
            raise ZeroDivisionError
    with shares.held("a"), shares.held("a"):
        pass
    assert not shares._under_way  # clients that went away cost no memory
