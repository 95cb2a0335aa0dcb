"""The paper's arithmetic, and what it leaves out."""

from __future__ import annotations

import pytest

from focus_detr.paper.section_3_4 import (
    PAPER_SAYS,
    TEST_SIZE,
    deformable,
    least_encoder,
    section_3_4,
    section_table,
    self_attention,
)


def test_formulas_by_hand() -> None:
    assert deformable(1, 4) == (4 * 256 + 3 * 4 * 8 + 256 + 5 * 4) * 256
    assert self_attention(300) == 2 * 300 * 256**2 + 300**2 * 256


def test_conclusions_do_not_follow_from_the_formulas() -> None:
    formula, levels, paper_size, test_size = section_3_4()
    assert formula.encoder_to_decoder == pytest.approx(5.5, abs=0.05)
    assert PAPER_SAYS["encoder / decoder"] == 7.0
    assert formula.saving == pytest.approx(0.593, abs=5e-4)
    assert formula.objects_of_all == pytest.approx(0.016, abs=5e-4)
    assert formula.objects_of_kept == pytest.approx(0.045, abs=5e-4)
    assert (levels.encoder_to_decoder, levels.saving) == pytest.approx((8.6, 0.627), abs=0.01)
    assert (paper_size.encoder_to_decoder, paper_size.saving) == pytest.approx(
        (5.4, 0.561), abs=0.03
    )
    assert (test_size.encoder_to_decoder, test_size.saving) == pytest.approx((7.9, 0.589), abs=0.02)
    assert test_size.objects_of_kept == pytest.approx(0.012, abs=1e-3)


def test_values_of_all_tokens_remain_whatever_is_kept() -> None:
    assert least_encoder(*TEST_SIZE) / 1e9 == pytest.approx(7.0, abs=0.05)


def test_the_table_has_the_paper_s_claims_above_ours() -> None:
    lines = section_table().splitlines()
    assert len({line.count("|") for line in lines}) == 1
    assert lines[2] == "| the paper says | about 7 | > 60 % | - | < 0.025 |"
    assert lines[3] == "| formula, 4 samples | 5.5 | 59 % | 0.016 | 0.045 |"
    assert lines[6].startswith("| implemented, 800 x 1066 | 7.9 | 59 % | 0.005 | 0.012 |")
    assert len(lines) == 7
