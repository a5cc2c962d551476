"""``trimtab models quantize``: a model in fewer bits, and how far down it is still the same model."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.control import local_operator
from trimtab.control.numbers import percent
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import ScorerSpec, Suite, load_suite, scorer_for
from trimtab.serving.variants import Ladder, LadderPlan, LadderRow, Serving, StratumScore, climb
from trimtab.wiring import register_ladder

DEFAULT_TARGETS = "q8_0,q5_1,q4_0"


def quantize(
    context: typer.Context,
    model: Annotated[Path, typer.Argument(metavar="MODEL", help="A GGUF file in f32, f16 or bf16.")],
    to: Annotated[
        str, typer.Option("--to", metavar="TYPE,…", help="Precisions; K-quants need llama.cpp's quantizer.")
    ] = DEFAULT_TARGETS,
    suite: Annotated[
        Path | None,
        typer.Option("--suite", metavar="FILE", help="Cases (JSONL) to judge by; without them nothing is judged."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FOLDER", help="Where the variants go; beside the model by default.")
    ] = None,
    margin: Annotated[
        float, typer.Option(min=0.0, max=0.5, metavar="FRACTION", help="Quality that may be lost on any stratum.")
    ] = 0.02,
    alpha: Annotated[
        float, typer.Option(min=0.001, max=0.2, metavar="FRACTION", help="Chance to pass what loses more than that.")
    ] = 0.05,
    protect: Annotated[
        str | None, typer.Option("--protect", metavar="STRATUM,…", help="Strata that may veto; all by default.")
    ] = None,
    scorer: Annotated[str, typer.Option("--scorer", metavar="NAME", help="Grades the answers; `numeric`, say.")] = (
        "normalised_match"
    ),
    slots: Annotated[int, typer.Option(min=1, max=64, metavar="N", help="Cases asked at a time.")] = 4,
    threads: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Processor threads; llama.cpp decides by default.")
    ] = None,
    max_tokens: Annotated[int, typer.Option(min=1, metavar="N", help="Longest answer.")] = 256,
    json: JsonOption = False,
) -> int:
    """Write variants of a model, and judge which may take its place.

    Exits 1 when none of them may.

    The files are served by llama.cpp and asked every case of the suite; a variant passes when it is shown to lose no
    more than the margin on any protected stratum. Every file is registered with its lineage and its verdict, and an
    engine refuses to serve one that failed.
    """
    settings = invocation_of(context).settings()
    plan = LadderPlan(
        parent=model,
        targets=_listed(to, "--to"),
        folder=model.parent if out is None else out,
        suite=None if suite is None else load_suite(suite),
        scorer=scorer_for(ScorerSpec(name=scorer)),
        margin=margin,
        alpha=alpha,
        protected=None if protect is None else _listed(protect, "--protect"),
    )
    _check_strata(plan.protected, plan.suite)
    progress = output.Progress()
    try:
        ladder = asyncio.run(
            climb(
                plan,
                Serving(logs=settings.data_dir / "logs", slots=slots, threads=threads, max_tokens=max_tokens),
                lambda what, done, total: progress.update(f"{what}: {done:,} of {total:,}"),
            )
        )
    finally:
        progress.clear()
    register_ladder(settings, ladder, actor=local_operator().actor)
    if json:
        output.print_json(ladder)
    else:
        _print(ladder)
    return 0 if plan.suite is None or any(row.passed for row in ladder.variants) else 1


def _print(ladder: Ladder) -> None:
    rows = [ladder.parent, *ladder.variants]
    columns = ["Variant", ">MB", ">Of parent", ">Tokens/s", ">Memory MB", ">Perplexity", ">Quality", ">n", "Verdict"]
    output.print_table(columns, [_row(row, ladder.parent) for row in rows])
    if ladder.suite is None:
        output.note("Nothing was judged, and what is not judged is not served: --suite FILE says by which cases.")
        return
    output.print_line("")
    strata = [score.stratum for score in ladder.parent.strata]
    output.print_table(
        ["Quality by stratum", *strata], [[row.name, *(_interval(score) for score in row.strata)] for row in rows]
    )
    for row in ladder.variants:
        for line in _reasons(row):
            output.print_line(line)
    output.print_line(f"Default to {ladder.default}.")


def _row(row: LadderRow, parent: LadderRow) -> list[output.Cell]:
    speed, memory = row.output_tokens_per_s, row.memory_bytes
    return [
        row.name,
        f"{row.size_bytes / 1e6:,.1f}",
        percent(row.size_bytes / parent.size_bytes),
        None if speed is None else f"{speed:,.0f}",
        None if memory is None else f"{memory / 1e6:,.0f}",
        None if row.perplexity is None else f"{row.perplexity:.3f}",
        None if row.overall is None else _interval(row.overall),
        None if row.overall is None else row.overall.n_samples,
        "parent" if row is parent else "not judged" if row.verdict is None else row.verdict.outcome.value,
    ]


def _interval(score: StratumScore) -> str:
    return f"{score.mean:.3f} [{score.lower:.3f}, {score.upper:.3f}]"


def _reasons(row: LadderRow) -> list[str]:
    if row.verdict is None:
        return []
    return [f"{row.name}, {each.stratum}: {each.reason}" for each in row.verdict.strata if each.outcome != "pass"]


def _listed(text: str, option: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(word.strip().lower() for word in text.split(",") if word.strip()))
    if not words:
        raise ConfigurationError(f"{option} names nothing.", hint=f"For example {option} {DEFAULT_TARGETS}.")
    return words


def _check_strata(protected: tuple[str, ...] | None, suite: Suite | None) -> None:
    known = () if suite is None else suite.strata
    unknown = next((name for name in protected or () if name not in known), None)
    if unknown is not None:
        raise ConfigurationError(
            f"--protect names stratum {unknown!r}, which the suite does not have.",
            hint=f"It has: {', '.join(known) or 'none, since no suite was given'}.",
        )
