"""``trimtab policy simulate``: what policies would have done with recorded traffic."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import CallOptions, JsonOption
from trimtab.cli.options import with_options
from trimtab.cli.policy_check import FilesArgument, read_policy_text
from trimtab.control import Desk
from trimtab.control.numbers import percent, quality, usd_column, usd_text
from trimtab.replay import Result, Simulation
from trimtab.routing import Estimate

PoolName = Literal["configured", "recorded"]
SHOWN_SINGLES = 8
"""Single models in the table, those with the most graded prompts; a benchmark may have a hundred."""


class Way(Result, frozen=True, kw_only=True):
    """One way of choosing, with its cost in dollars and its shares."""

    cost_usd: str | None
    """``cost_nano_usd`` in dollars, with every digit; ``None`` when no call has a price."""
    shares: Mapping[str, float]
    """Of the answered calls, by model."""


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What happened and what policies would have done, side by side."""

    n_calls: int
    """Recorded prompts."""
    pool: PoolName
    """Who could have answered."""
    recorded: Way
    """What happened; without calls where several models answered each prompt."""
    policies: tuple[Way, ...]
    """In the order of the files."""
    singles: tuple[Way, ...]
    """Everything on one model, whatever policy says."""


@with_options
def simulate(
    context: typer.Context,
    files: FilesArgument,
    *,
    pool: Annotated[
        PoolName | None,
        typer.Option(
            help="Who could have answered: the configured models, or with `recorded` also every model in the record. "
            "Left out: the configured ones where there are any."
        ),
    ] = None,
    chosen: CallOptions,
    json: JsonOption = False,
) -> None:
    """Say what each policy would have cost and achieved on the recorded calls, beside what happened.

    A chosen model's own outcome on the same prompt counts where there is one. Where there is none its cost is worked
    out from the tokens, and its quality stays unknown and is counted as that.
    """
    texts = {str(file): read_policy_text(file) for file in files}
    filter = chosen.filter()
    progress = output.Progress()
    with invocation_of(context).open_desk() as desk:
        wanted = pool or _usual_pool(desk)
        try:
            found = desk.simulate(
                texts,
                filter,
                recorded_models=wanted == "recorded",
                progress=lambda n_prompts: progress.update(f"{n_prompts:,} prompts"),
            )
        finally:
            progress.clear()
    if json:
        output.print_json(_simulated(found, wanted))
    else:
        _print_simulation(found, wanted)


def _usual_pool(desk: Desk) -> PoolName:
    return "configured" if desk.models() else "recorded"


def _print_simulation(found: Simulation, wanted: PoolName) -> None:
    record = [found.recorded] if found.recorded.n_calls else []
    best_known = sorted(found.singles, key=lambda single: single.n_ungraded)[:SHOWN_SINGLES]
    results = [*record, *found.policies, *best_known]
    output.print_line(f"{found.n_calls:,} recorded prompts, {wanted} models")
    output.print_table(
        [
            "",
            ">Calls",
            ">Refused",
            ">Cost",
            ">Unpriced",
            "Quality",
            "Cost a call vs record",
            "Quality vs record",
        ],
        map(_row, results),
    )
    output.print_line()
    output.print_table(["Share of", "Model", ">Calls", ">Share"], _shares([*record, *found.policies]))
    for text in _caveats(found):
        output.note(text)


def _row(result: Result) -> list[output.Cell]:
    return [
        _title(result),
        result.n_calls,
        result.n_refused,
        output.Usd(result.cost_nano_usd) if result.n_calls > result.n_refused + result.n_unpriced else None,
        result.n_unpriced,
        quality(result.quality),
        None if result.kind == "recorded" else _money(result.cost_difference_nano_usd),
        None if result.kind == "recorded" else _points(result.quality_difference),
    ]


def _title(result: Result) -> str:
    return f"all on {result.name}" if result.kind == "single" else result.name


def _shares(results: list[Result]) -> Iterator[list[output.Cell]]:
    for result in results:
        n_answered = result.n_calls - result.n_refused
        for place, (model, n_calls) in enumerate(result.calls_by_model.items()):
            name = _title(result) if place == 0 else ""
            yield [name, model, n_calls, percent(n_calls / n_answered if n_answered else None)]


def _money(estimate: Estimate | None) -> str | None:
    if estimate is None:
        return None
    bounds = [round(bound) for bound in (estimate.lower, estimate.mean, estimate.upper)]
    low, mean, high = (
        f"+{text}" if bound > 0 else text for bound, text in zip(bounds, usd_column(bounds), strict=True)
    )
    return f"{mean} [{low}, {high}] (n = {estimate.n_samples:,})"


def _points(estimate: Estimate | None) -> str | None:
    if estimate is None:
        return None
    bounds = f"[{estimate.lower:+.3f}, {estimate.upper:+.3f}]"
    return f"{estimate.mean:+.3f} {bounds} (n = {estimate.n_samples:,})"


def _caveats(found: Simulation) -> Iterator[str]:
    if not found.n_calls:
        yield "No recorded call fits. `trimtab calls import FILE` reads a log."
        return
    if len(found.singles) > SHOWN_SINGLES:
        yield f"{len(found.singles) - SHOWN_SINGLES} single models with fewer graded prompts are in --json only."
    if not found.recorded.n_calls:
        yield "Several models answered each of these prompts, so there is no one call to compare with."
    for result in found.policies:
        if result.n_refused == result.n_calls:
            yield (
                f"{result.name} refuses every call. Imported calls count as restricted unless `calls import "
                "--sensitivity` said otherwise, and models that are only recorded count as outside the boundary."
            )
        if result.n_ungraded:
            yield f"{result.name}: {result.n_ungraded:,} calls go to a model that nobody graded on that prompt."
        if result.n_repriced:
            yield f"{result.name}: {result.n_repriced:,} costs are worked out from tokens; no outcome carried them."


def _simulated(found: Simulation, wanted: PoolName) -> Simulated:
    return Simulated(
        n_calls=found.n_calls,
        pool=wanted,
        recorded=_way(found.recorded),
        policies=tuple(map(_way, found.policies)),
        singles=tuple(map(_way, found.singles)),
    )


def _way(result: Result) -> Way:
    n_answered = result.n_calls - result.n_refused
    shares = {model: n_calls / n_answered for model, n_calls in result.calls_by_model.items()}
    is_priced = n_answered > result.n_unpriced
    cost_usd = usd_text(result.cost_nano_usd) if is_priced else None
    return Way(**msgspec.structs.asdict(result), cost_usd=cost_usd, shares=shares)
