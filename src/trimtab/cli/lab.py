"""``trimtab lab``: train the embedded pool again, and measure model files on its held-out work."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.filters import JsonOption

if TYPE_CHECKING:
    from trimtab.lab.pool import Accuracy

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """What one model file scored on one kind of held-out work."""

    model: str
    """The file's name without its ending."""
    stratum: str
    task: str | None
    """``None``: all tasks of the stratum."""
    n_right: int
    n_cases: int
    quality_fraction: float
    lower: float
    """Wilson's 95 % interval."""
    upper: float


@app.command()
def train(
    fast: Annotated[
        bool, typer.Option("--fast", help="One reduced model in a few minutes, held to its stated accuracy.")
    ] = False,
    out: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where models and cards go; a run that was cut off goes on there.")
    ] = Path("trimtab-pool"),
    only: Annotated[Literal["small", "large"] | None, typer.Option(help="One of the two models.")] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Another one draws other weights and cases.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Processor threads.")] = 2,
    json: JsonOption = False,
) -> int:
    """Train the embedded pool from nothing, on this machine.

    Generator, tokenizer, network, export, and a card with what the served file scores. The full recipe takes about an
    hour on two cores, `--fast` under five minutes; with `--fast` the exit code is 1 when the model stays below its
    stated accuracy.
    """
    from trimtab.lab.training import FAST, FAST_FLOOR, RECIPES, train_pool

    if fast and only is not None:
        raise typer.BadParameter("--fast trains one model of its own; leave --only out")
    recipes = [FAST] if fast else [recipe for recipe in RECIPES if only is None or recipe.name == f"office-{only}"]
    models = train_pool(
        [replace(recipe, seed=seed) for recipe in recipes],
        out,
        say=output.note,
        n_cases=200 if fast else 400,
        n_threads=threads,
    )
    measured = [row for model in models for row in _measured(model.card.name, model.card.accuracy)]
    _print(measured, json=json)
    if not fast:
        return 0
    reached = models[0].card.on("routine").quality_fraction
    verdict = "reached" if reached >= FAST_FLOOR else "MISSED"
    output.note(f"stated accuracy {FAST_FLOOR:.2f} on routine work: {verdict}, {reached:.3f}")
    return 0 if reached >= FAST_FLOOR else 1


@app.command()
def evaluate(
    model: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A GGUF file; again for another. Left out: the pool that is installed."),
    ] = None,
    n: Annotated[int, typer.Option("--n", min=1, max=100_000, metavar="N", help="Cases of each stratum.")] = 400,
    json: JsonOption = False,
) -> None:
    """Serve model files and count right answers on held-out work."""
    from trimtab.lab.pool import measure_model, pool_models

    measured: list[Measured] = []
    for path in model or [found.path for found in pool_models()]:
        output.note(f"{path.stem}: asking {n:,} held-out cases of each stratum")
        measured += _measured(path.stem, measure_model(path, n_cases=n))
    _print(measured, json=json)


def _measured(model: str, accuracy: "Iterable[Accuracy]") -> list[Measured]:
    return [
        Measured(
            model=model,
            stratum=row.stratum,
            task=row.task,
            n_right=row.n_right,
            n_cases=row.n_cases,
            quality_fraction=row.quality_fraction,
            lower=row.lower,
            upper=row.upper,
        )
        for row in accuracy
    ]


def _print(measured: Iterable[Measured], *, json: bool) -> None:
    if json:
        output.print_json(list(measured))
        return
    output.print_table(
        ["Model", "Stratum", "Task", ">Right", ">Cases", ">Quality", "95 % interval"],
        (
            [
                row.model,
                row.stratum,
                row.task or "all",
                row.n_right,
                row.n_cases,
                f"{row.quality_fraction:.3f}",
                f"[{row.lower:.3f}, {row.upper:.3f}]",
            ]
            for row in measured
        ),
    )
