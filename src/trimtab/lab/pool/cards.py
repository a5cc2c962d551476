"""What is known of each model of the pool: ``NAME.card.json`` beside ``NAME.gguf``."""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.lab.office import Stratum
from trimtab.stats import wilson_interval

POOL_FOLDER = Path(__file__).parent
_NAMES = ("office-small", "office-large")


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """Exact matches on held-out wordings, answered by the served file."""

    stratum: Stratum
    task: str | None
    """``None``: all tasks of the stratum."""
    task_type: str | None
    """What the gateway's rules see in the task's prompts; ``None`` with all tasks."""
    n_right: int
    n_cases: int
    quality_fraction: float
    lower: float
    """Wilson's 95 % interval."""
    upper: float

    @classmethod
    def counted(
        cls, stratum: Stratum, n_right: int, n_cases: int, *, task: str | None = None, task_type: str | None = None
    ) -> "Accuracy":
        """Return the rate of a count with its interval."""
        lower, upper = wilson_interval(n_right, n_cases)
        return cls(
            stratum=stratum,
            task=task,
            task_type=task_type,
            n_right=n_right,
            n_cases=n_cases,
            quality_fraction=round(n_right / n_cases, 4),
            lower=round(lower, 4),
            upper=round(upper, 4),
        )


class TrainingRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one training run took."""

    recipe: Mapping[str, object]
    """Every value of the recipe."""
    command: str
    """Trains it again."""
    office_version: int
    """Of the generator of its cases."""
    n_tokens: int
    loss: float
    """At the end, in nats a token of the answers."""
    cpu_s: float
    wall_s: float
    packages: Mapping[str, str]


class StatedPrice(msgspec.Struct, frozen=True, kw_only=True):
    """A price that the lab states: nobody sells this model."""

    input_usd_per_mtok: Decimal
    output_usd_per_mtok: Decimal
    source: str


class PoolCard(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the pool."""

    name: str
    summary: str
    license: str
    architecture: str
    n_parameters: int
    context_tokens: int
    precision: str
    tokenizer: str
    file: str
    size_bytes: int
    sha256: str
    """Of the file."""
    training: TrainingRecord
    measured: str
    """How accuracy was measured."""
    accuracy: tuple[Accuracy, ...]
    price: StatedPrice

    def on(self, stratum: Stratum) -> Accuracy:
        """Return the accuracy on all tasks of a stratum.

        Raises:
            KeyError: it was not measured.
        """
        for accuracy in self.accuracy:
            if accuracy.stratum == stratum and accuracy.task is None:
                return accuracy
        raise KeyError(stratum)


class PoolModel(NamedTuple):
    """A model that is there."""

    card: PoolCard
    path: Path
    """Its GGUF file."""


def pool_models(folder: Path = POOL_FOLDER) -> tuple[PoolModel, ...]:
    """Return the models of the pool, the small one first.

    Raises:
        ConfigurationError: a file is missing from the installation.
    """
    return tuple(PoolModel(read_card(folder / f"{name}.card.json"), folder / f"{name}.gguf") for name in _NAMES)


def read_card(path: Path) -> PoolCard:
    """Read a card.

    Raises:
        ConfigurationError: it is missing or is no card.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=PoolCard)
    except (FileNotFoundError, msgspec.DecodeError) as exc:
        raise ConfigurationError(
            f"{path} is no card of a model of the pool: {exc}", hint="Install trimtab again, or train the pool again."
        ) from exc


def write_card(card: PoolCard, folder: Path) -> Path:
    """Write a card beside its file and return where."""
    path = folder / f"{card.name}.card.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2) + b"\n")
    return path


def sha256_of(path: Path) -> str:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
