"""Fresh weights follow the distributions that the reference draws from."""

from __future__ import annotations

import math

import numpy as np
import pytest
from family_cases import small_family_config
from model_cases import SMALL_CLASSES, small_config

from focus_detr.models.detr import DETR
from focus_detr.models.factory import build_model
from focus_detr.models.initialisation import sampling_directions


@pytest.fixture(scope="module")
def model() -> DETR:
    return build_model(small_config(), SMALL_CLASSES, seed=3)


def test_same_seed_same_weights(model: DETR) -> None:
    again = build_model(small_config(), SMALL_CLASSES, seed=3)
    other = build_model(small_config(), SMALL_CLASSES, seed=4)
    for a, b in zip(model.get_parameters(), again.get_parameters(), strict=True):
        np.testing.assert_array_equal(a.asnumpy(), b.asnumpy(), err_msg=a.name)
    assert (model.label_embed.asnumpy() != other.label_embed.asnumpy()).any()


def test_heads_start_equal_and_unsure(model: DETR) -> None:
    for head in model.class_heads:
        np.testing.assert_allclose(head.bias.asnumpy(), -math.log(99), rtol=1e-6)
        np.testing.assert_array_equal(head.weight.asnumpy(), model.class_heads[0].weight.asnumpy())
    for head in model.box_heads:
        assert not head.layers[-1].weight.asnumpy().any()
        assert not head.layers[-1].bias.asnumpy().any()
        first = model.box_heads[0].layers[0].weight.asnumpy()
        np.testing.assert_array_equal(head.layers[0].weight.asnumpy(), first)


@pytest.mark.parametrize(
    ("name", "size"),
    [("deformable_detr_sparse_r50_50ep", -2.0), ("dino_sparse_r50_36ep", 0.0)],
)
def test_first_boxes_of_learned_queries_start_small_and_all_others_as_proposed(
    name: str, size: float
) -> None:
    config = small_family_config(name, "model.encoder.cascade=[1, 1]").model
    network = build_model(config, SMALL_CLASSES)
    biases = [head.layers[-1].bias.asnumpy() for head in network.box_heads]
    np.testing.assert_array_equal(biases[0], [0, 0, size, size])
    assert not np.any(biases[1:])
    encoder, first = network.encoder_heads, network.box_heads[0]
    for box_head, class_head in zip(encoder.box_heads, encoder.class_heads, strict=True):
        assert not box_head.layers[-1].bias.asnumpy().any()
        np.testing.assert_array_equal(
            box_head.layers[0].weight.asnumpy(), first.layers[0].weight.asnumpy()
        )
        np.testing.assert_allclose(class_head.bias.asnumpy(), -math.log(99), rtol=1e-6)


def test_sampling_starts_along_eight_directions() -> None:
    grid = sampling_directions(8, 4, 4).reshape(8, 4, 4, 2)
    np.testing.assert_allclose(grid[0, 0], [[1, 0], [2, 0], [3, 0], [4, 0]], atol=1e-12)
    np.testing.assert_allclose(grid[1, 3, 2], [3, 3], atol=1e-12)
    np.testing.assert_allclose(np.abs(grid).max(-1)[:, 0], np.tile([1, 2, 3, 4], (8, 1)))


def test_attention_starts_even_and_linear_layers_within_xavier(model: DETR) -> None:
    layer = model.encoder.layers[0]
    assert not layer.deformable.sampling_offsets.weight.asnumpy().any()
    assert not layer.deformable.attention_weights.bias.asnumpy().any()
    weight = layer.ffn.linear1.weight.asnumpy()
    bound = math.sqrt(6 / sum(weight.shape))
    assert 0.9 * bound < np.abs(weight).max() <= bound
    bias = layer.ffn.linear1.bias.asnumpy()
    assert 0 < np.abs(bias).max() <= 1 / math.sqrt(weight.shape[1])
    np.testing.assert_array_equal(bias, model.encoder.layers[1].ffn.linear1.bias.asnumpy())


def test_contents_of_queries_start_as_a_matrix_or_as_a_table(model: DETR) -> None:
    matrix = model.queries.query_embed.asnumpy()
    assert np.abs(matrix).max() <= math.sqrt(6 / sum(matrix.shape))
    config = small_family_config("dac_detr_r50_12ep").model
    table = build_model(config, SMALL_CLASSES).queries.query_embed.asnumpy()
    assert table.std() == pytest.approx(1.0, abs=0.1)


def test_frozen_norms_and_stem_do_not_train(model: DETR) -> None:
    trained = {parameter.name for parameter in model.trainable_params()}
    assert not any(".norm.running" in name or name.startswith("backbone.stem") for name in trained)
    assert "backbone.res2.0.conv1.weight" in trained
    variance = model.backbone.stem.conv1.norm.running_var.asnumpy()
    np.testing.assert_allclose(variance, 1 - 1e-5)
