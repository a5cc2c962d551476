"""Scoring again: the answers of a run under another scorer, as a run of its own, with nothing asked."""

import asyncio
from collections.abc import Iterator, Mapping
from itertools import islice

import msgspec

from trimtab.core import Clock
from trimtab.evaluation import Case, CaseResult, Suite
from trimtab.replay.evaluating.beginning import new_run_id
from trimtab.replay.evaluating.grading import Grader
from trimtab.replay.evaluating.writing import FLUSH_ROWS
from trimtab.store import EvaluationStore, Recorded, StoredRun

AT_A_TIME = 8
"""Answers that are graded together; a judge takes seconds for each."""


async def score_again(
    store: EvaluationStore, source: StoredRun, suite: Suite, grader: Grader, clock: Clock
) -> StoredRun:
    """Grade a run's answers and keep the scores as a new run; the old one stays as it is.

    Args:
        store: Where both are.
        source: Whose answers.
        suite: Its suite.
        grader: Gives the new scores.
        clock: Dates the new run.

    Raises:
        ConfigurationError: a scorer gave something that is no score; nothing is kept then.
        StoreError: the database failed.
    """
    cases = {case.case_id: case for case in suite.cases}
    graded = [
        msgspec.structs.replace(result, answer=None)  # the texts are read again when they are written
        for some in _batches(store, source, AT_A_TIME)
        for result in await asyncio.gather(*(_graded(each.result, cases, grader) for each in some))
    ]
    run = StoredRun(
        run_id=new_run_id(),
        plan=msgspec.structs.replace(source.plan, scorers=grader.uses),
        state="unfinished",
        n_expected=source.n_expected,
        started_at_us=clock.now_us(),
        scored_from=source.run_id,
    )
    store.begin(run)
    scores = iter(graded)
    for some in _batches(store, source, FLUSH_ROWS):
        store.add_results(run.run_id, [_with(each, next(scores)) for each in some])
    store.finish(run.run_id)
    return store.find(run.run_id)


async def _graded(result: CaseResult, cases: Mapping[str, Case], grader: Grader) -> CaseResult:
    bare = msgspec.structs.replace(result, score=None, why=None, grading_cost_nano_usd=None)
    return bare if bare.answer is None else await grader.grade(cases[bare.case_id], bare)


def _with(each: Recorded, graded: CaseResult) -> Recorded:
    answer = each.result.answer
    result = msgspec.structs.replace(graded, answer=answer, is_cached=answer is not None)
    return Recorded(result, each.request_digest)


def _batches(store: EvaluationStore, run: StoredRun, n_at_a_time: int) -> Iterator[list[Recorded]]:
    results = store.results(run.run_id)
    while some := list(islice(results, n_at_a_time)):
        yield some
