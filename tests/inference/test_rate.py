"""The rate leaves out the first call, in which graphs are compiled."""

from __future__ import annotations

from focus_detr.inference.rate import Rate


def test_the_first_call_counts_only_if_it_is_alone() -> None:
    moments = iter([0.0, 10.0, 11.0, 12.0])
    rate = Rate(lambda: next(moments))
    assert rate.per_second == 0
    rate.add(5)
    assert rate.per_second == 0.5
    rate.add(4)
    assert rate.per_second == 4
    rate.add(2)
    assert rate.per_second == 3
