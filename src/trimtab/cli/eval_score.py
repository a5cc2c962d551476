"""``trimtab eval score``: the answers of a run under another scorer, with no model under test asked."""

import asyncio
from contextlib import closing
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.eval_report import print_report
from trimtab.cli.eval_run import report_of, scorer_spec
from trimtab.cli.filters import JsonOption
from trimtab.core import SystemClock
from trimtab.evaluation import Suite
from trimtab.replay.evaluating import Grader, score_again
from trimtab.server import status_of
from trimtab.store import Database, EvaluationStore, StoredRun
from trimtab.wiring import Settings, pool_of
from trimtab.wiring.evaluating import Bench, inner_gateway


def score_run(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Its id, or how that begins.", show_default=False)],
    scorer: Annotated[
        str | None, typer.Option(metavar="NAME", help="A name, or JSON with name and options; left out: the suite's.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Grade the answers of a run again, as a run of its own.

    The old run stays as it is. The model is not asked. A scorer that is a judge is, and spends what it spends.
    """
    invocation = invocation_of(context)
    settings = invocation.settings()
    with closing(invocation.open_database()) as database:
        store = EvaluationStore(database, SystemClock())
        source = store.find(run)
        suite = store.load_suite(source.plan.suite_digest)
        bench = Bench(pool_of(settings), suite)
        grader = Grader(suite, bench.scorer, instead=None if scorer is None else scorer_spec(scorer))
        scored = asyncio.run(_scored(settings, database, store, source, suite, grader, bench))
        report = report_of(store, suite, [scored])
    if json:
        output.print_json(report)
    else:
        print_report(report)


async def _scored(
    settings: Settings,
    database: Database,
    store: EvaluationStore,
    source: StoredRun,
    suite: Suite,
    grader: Grader,
    bench: Bench,
) -> StoredRun:
    if not bench.models:
        return await score_again(store, source, suite, grader, SystemClock())
    async with inner_gateway(settings, database, bench.models, status_of=status_of) as asker:
        bench.open(asker)
        return await score_again(store, source, suite, grader, SystemClock())
