"""A checkpoint of the small network, with everything that commands ask of one."""

from __future__ import annotations

from pathlib import Path

from model_cases import scatter_weights, small_config

from focus_detr.config.schema import Config, DataConfig, DecoderConfig, EncoderConfig, ModelConfig
from focus_detr.data.classes import ClassMap
from focus_detr.models.factory import build_model
from focus_detr.training.session import describe
from focus_detr.weights.checkpoint import model_tensors, save_checkpoint

CLASSES = ClassMap(("cat", "dog"), (3, 7))
NETWORK = small_config(
    encoder=EncoderConfig(layers=1, ffn_width=48, points=2, cascade=(1.0,), object_tokens=20),
    decoder=DecoderConfig(layers=1, ffn_width=48, points=2, queries=30),
)
TEST_SIZE = DataConfig(test_short_side=64, test_max_side=96)


def write_small_checkpoint(path: Path, seed: int = 0, model: ModelConfig = NETWORK) -> Path:
    """Write drawn weights of the network, as training does."""
    config = Config(model=model, data=TEST_SIZE)
    network = build_model(config.model, len(CLASSES))
    scatter_weights(network, seed)
    save_checkpoint(path, model_tensors(network), describe(config, CLASSES))
    return path
