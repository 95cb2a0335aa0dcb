"""Our limit on oneDNN's instructions is for MindSpore's only."""

from __future__ import annotations

import os

import pytest

from focus_detr.process.onednn_cap import CAP_VARIABLE, ISA_VARIABLE, is_ours, without_our_cap


def test_our_limit_is_hidden_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CAP_VARIABLE, "AVX2")
    monkeypatch.setenv(ISA_VARIABLE, "AVX2")
    assert is_ours()
    with pytest.raises(KeyError), without_our_cap():
        assert ISA_VARIABLE not in os.environ
        raise KeyError
    assert os.environ[ISA_VARIABLE] == "AVX2"


@pytest.mark.parametrize("cap", [None, "AVX2"])
def test_a_user_s_limit_stays(monkeypatch: pytest.MonkeyPatch, cap: str | None) -> None:
    monkeypatch.setenv(ISA_VARIABLE, "SSE41")
    if cap is None:
        monkeypatch.delenv(CAP_VARIABLE, raising=False)
    else:
        monkeypatch.setenv(CAP_VARIABLE, cap)
    assert not is_ours()
    with without_our_cap():
        assert os.environ[ISA_VARIABLE] == "SSE41"
