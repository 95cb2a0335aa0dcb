"""The loss's arguments are a function of seed, step and place in the step."""

from __future__ import annotations

import numpy as np
from tiny_training import TinyLoader

from focus_detr.distributed.world import World
from focus_detr.training.inputs import StepInputs

BATCH = next(TinyLoader().epoch(0))


def _noise(inputs: StepInputs, step: int) -> list[np.ndarray]:
    return [tensor.asnumpy() for tensor in inputs(BATCH, step)[5:]]


def test_shapes_and_order() -> None:
    shapes = [tensor.shape for tensor in StepInputs(0, 3, 2)(BATCH, 0)]
    targets = [(2, 1, 4), (2, 1), (2, 1)]
    assert shapes == [(2, 3, 4, 4), (2, 2), *targets, (2, 6), (2, 6), (2, 6, 4), (2, 6, 4)]


def test_noise_repeats_for_a_step_and_differs_otherwise() -> None:
    reference = _noise(StepInputs(1, 50, 80), 7)
    for ours, again in zip(reference, _noise(StepInputs(1, 50, 80), 7), strict=True):
        np.testing.assert_array_equal(ours, again)
    others = (
        _noise(StepInputs(1, 50, 80), 8),
        _noise(StepInputs(2, 50, 80), 7),
        _noise(StepInputs(1, 50, 80, World(1, 2)), 8),
    )
    for other in others:
        assert all((a != b).any() for a, b in zip(reference, other, strict=True))


def test_an_image_has_the_same_noise_however_the_step_is_dealt() -> None:
    large = next(TinyLoader(images=4).epoch(0))
    whole = [tensor.asnumpy() for tensor in StepInputs(1, 5, 80)(large, 7)[5:]]
    for rank in range(2):
        shares = _noise(StepInputs(1, 5, 80, World(rank, 2)), 7)
        for all_images, own in zip(whole, shares, strict=True):
            np.testing.assert_array_equal(all_images[rank::2], own)


def test_further_slots_do_not_change_the_noise_of_the_first() -> None:
    few, many = (_noise(StepInputs(1, number, 80), 7) for number in (3, 50))
    for short, long in zip(few, many, strict=True):
        np.testing.assert_array_equal(short, long[:, :6])


def test_depth_is_drawn_for_each_image_wherever_it_is_computed() -> None:
    large = next(TinyLoader(images=4).epoch(0))
    whole = StepInputs(1, 5, 80, branches=6)(large, 7)[-1].asnumpy()
    assert whole.shape == (4, 6)
    assert ((whole >= 0) & (whole < 1)).all()
    for rank in range(2):
        share = StepInputs(1, 5, 80, World(rank, 2), branches=6)(BATCH, 7)[-1].asnumpy()
        np.testing.assert_array_equal(share, whole[rank::2])
    assert not np.array_equal(whole, StepInputs(1, 5, 80, branches=6)(large, 8)[-1].asnumpy())
