"""Models of the embedded pool without their weights."""

from decimal import Decimal
from pathlib import Path

from trimtab.lab import PoolModel
from trimtab.lab.pool import PoolCard, StatedPrice, TrainingRecord


def pool_model(name: str, *, input_usd: str, output_usd: str) -> PoolModel:
    """A model of the pool without its weights."""
    training = TrainingRecord(
        recipe={}, command="", office_version=1, n_tokens=1, loss=1.0, cpu_s=1.0, wall_s=1.0, packages={}
    )
    price = StatedPrice(
        input_usd_per_mtok=Decimal(input_usd), output_usd_per_mtok=Decimal(output_usd), source="by its size"
    )
    card = PoolCard(
        name=name,
        summary="",
        license="",
        architecture="llama",
        n_parameters=1_000_000,
        context_tokens=512,
        precision="f16",
        tokenizer="",
        file=f"{name}.gguf",
        size_bytes=2_000_000,
        sha256="0" * 64,
        training=training,
        measured="",
        accuracy=(),
        price=price,
    )
    return PoolModel(card, Path("/models") / card.file)
