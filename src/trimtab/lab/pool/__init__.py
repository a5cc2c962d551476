"""The embedded pool: two small language models of our own, each a GGUF file with its card, and what they score."""

from trimtab.lab.pool.cards import Accuracy, PoolCard, PoolModel, StatedPrice, TrainingRecord, pool_models, read_card
from trimtab.lab.pool.measuring import measure_model

__all__ = [
    "Accuracy",
    "PoolCard",
    "PoolModel",
    "StatedPrice",
    "TrainingRecord",
    "measure_model",
    "pool_models",
    "read_card",
]
