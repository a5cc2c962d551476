"""``trimtab eval list``: the runs that are kept."""

from contextlib import closing
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.control.numbers import instant, quality, usd_text
from trimtab.core import SystemClock
from trimtab.replay.evaluating import quality_of
from trimtab.routing import Estimate
from trimtab.store import EvaluationStore, RunTotals, StoredRun, run_totals


class ListedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run in one line."""

    run_id: str
    suite: str
    suite_version: str
    suite_digest: str
    model: str
    model_version: str | None
    model_digest: str | None
    scorer: str
    """Of the cases that name none, with options and version."""
    started_at_us: int
    state: str
    n_expected: int
    n_results: int
    n_failed: int
    quality: Estimate | None
    """Mean over cases with 95 % bounds; ``None`` before the first verdict."""
    cost_nano_usd: int | None
    cost_usd: str | None
    """What its answers cost; ``None`` when a price is unknown."""
    scored_from: str | None
    """The run whose answers it scored again."""


def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="The newest N.")] = 20,
    json: JsonOption = False,
) -> None:
    """List runs: suite, model, quality with its interval, cost, state."""
    with closing(invocation_of(context).open_database()) as database:
        runs = EvaluationStore(database, SystemClock()).list_runs(limit)
        totals = run_totals(database, [run.run_id for run in runs])
    listed = [_listed(run, totals.get(run.run_id, RunTotals())) for run in runs]
    if json:
        output.print_json(listed)
        return
    output.print_table(
        ["Run", "Suite", "Model", "Started", "Quality", "Scorer", ">Failed", ">Cost", "State"],
        map(_row, listed),
    )
    if not listed:
        output.note("No run is kept here: `trimtab eval run --suite FILE --models NAME,…` makes one.")


def _listed(run: StoredRun, totals: RunTotals) -> ListedRun:
    return ListedRun(
        run_id=run.run_id,
        suite=run.plan.suite_name,
        suite_version=run.plan.suite_version,
        suite_digest=run.plan.suite_digest,
        model=run.plan.model,
        model_version=run.plan.model_version,
        model_digest=run.plan.model_digest,
        scorer=run.plan.scorers[0].label,
        started_at_us=run.started_at_us,
        state=run.state,
        n_expected=run.n_expected,
        n_results=totals.n_results,
        n_failed=totals.n_failed,
        quality=quality_of(totals.n_cases, totals.score_sum, totals.score_square_sum),
        cost_nano_usd=None if totals.n_unpriced else totals.cost_nano_usd,
        cost_usd=None if totals.n_unpriced else usd_text(totals.cost_nano_usd),
        scored_from=run.scored_from,
    )


def _row(run: ListedRun) -> list[output.Cell]:
    again = "" if run.scored_from is None else ", scored again"
    done = "finished" if run.state == "finished" else f"{run.n_results:,} of {run.n_expected:,}"
    return [
        run.run_id,
        f"{run.suite} {run.suite_version} ({run.suite_digest[:8]})",
        run.model,
        instant(run.started_at_us),
        quality(run.quality),
        run.scorer,
        run.n_failed,
        output.Usd(run.cost_nano_usd),
        f"{done}{again}",
    ]
