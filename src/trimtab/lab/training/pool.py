"""From recipes to a pool on disk: train, export, serve, measure, write the card."""

import importlib.metadata
from collections.abc import Sequence
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import Final

from trimtab.lab.office import OFFICE_VERSION, STRATA, Stratum
from trimtab.lab.pool.cards import PoolCard, PoolModel, StatedPrice, TrainingRecord, sha256_of, write_card
from trimtab.lab.pool.measuring import MEASURE_SEED, measure_model
from trimtab.lab.training.loop import Say, Training, train_model
from trimtab.lab.training.needed import PACKAGES
from trimtab.lab.training.recipe import FAST, LARGE, Recipe
from trimtab.serving.gguf import export_model

_PRICE_SOURCE: Final = (
    "stated for the lab: nobody sells this model. The pair has the size and the ratio of a small hosted model's list "
    "price beside a frontier model's."
)
SMALL_PRICE: Final = StatedPrice(
    input_usd_per_mtok=Decimal("0.10"), output_usd_per_mtok=Decimal("0.40"), source=_PRICE_SOURCE
)
LARGE_PRICE: Final = StatedPrice(
    input_usd_per_mtok=Decimal("2.50"), output_usd_per_mtok=Decimal("10.00"), source=_PRICE_SOURCE
)


def train_pool(
    recipes: Sequence[Recipe], out: Path, *, say: Say, n_cases: int = 400, n_threads: int = 2
) -> tuple[PoolModel, ...]:
    """Train models, export and measure them; a run that was cut off goes on where it was.

    Args:
        recipes: What to train, in turn.
        out: Gets ``NAME.gguf``, ``NAME.card.json`` and the folder ``NAME`` with the Hugging Face model.
        say: Called with lines on progress.
        n_cases: Held-out cases of each stratum to measure with.
        n_threads: Processor threads.

    Raises:
        ConfigurationError: torch or another package is not installed.
        EngineError: the exported file cannot be served.
    """
    return tuple(_trained(recipe, out, say, n_cases, n_threads) for recipe in recipes)


def _trained(recipe: Recipe, out: Path, say: Say, n_cases: int, n_threads: int) -> PoolModel:
    training = train_model(recipe, out / recipe.name, say=say, n_threads=n_threads)
    path = out / f"{recipe.name}.gguf"
    export_model(training.folder, path, dtype="f16")
    strata = tuple(dict.fromkeys(recipe.strata)) if recipe == FAST else STRATA
    say(f"{recipe.name}: asking {n_cases * len(strata):,} held-out cases")
    card = _card(training, path, strata, n_cases, n_threads)
    write_card(card, out)
    return PoolModel(card, path)


def _card(training: Training, path: Path, strata: Sequence[Stratum], n_cases: int, n_threads: int) -> PoolCard:
    recipe = training.recipe
    accuracy = measure_model(path, n_cases=n_cases, strata=strata, n_threads=n_threads)
    return PoolCard(
        name=recipe.name,
        summary="Trained from scratch on invented office work; for demonstrations and tests, not for real work.",
        license="Apache-2.0",
        architecture=f"Llama, {recipe.n_layers} layers of width {recipe.width}, {recipe.n_heads} heads, feed-forward "
        f"{recipe.feed_forward_width}, tied embeddings",
        n_parameters=training.n_parameters,
        context_tokens=recipe.context_tokens,
        precision="f16",
        tokenizer=f"byte-level BPE of {recipe.vocabulary_size:,} tokens, trained on the office's own sentences, split "
        "as llama.cpp's qwen2; the chat template leaves system messages out",
        file=path.name,
        size_bytes=path.stat().st_size,
        sha256=sha256_of(path),
        training=_record(training),
        measured=f"{n_cases} held-out cases of each stratum, seed {MEASURE_SEED}, exact match, the file served by "
        f"llama.cpp (xllamacpp {importlib.metadata.version('xllamacpp')}) at temperature 0",
        accuracy=accuracy,
        price=LARGE_PRICE if recipe.name == LARGE.name else SMALL_PRICE,
    )


def _record(training: Training) -> TrainingRecord:
    recipe = training.recipe
    only = recipe.name.removeprefix("office-")
    return TrainingRecord(
        recipe={name: list(value) if isinstance(value, tuple) else value for name, value in asdict(recipe).items()},
        command="trimtab lab train "
        + ("--fast" if recipe.name == FAST.name else f"--only {only} --seed {recipe.seed}"),
        office_version=OFFICE_VERSION,
        n_tokens=training.n_tokens,
        loss=round(training.loss, 4),
        cpu_s=round(training.cpu_s),
        wall_s=round(training.wall_s),
        packages={package: importlib.metadata.version(package) for package in PACKAGES},
    )
