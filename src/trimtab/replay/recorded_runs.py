"""Keeping runs that were recorded elsewhere, so that they are compared and shown like runs made here."""

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from trimtab.core.errors import NotFound
from trimtab.evaluation import Run, RunPlan, Suite
from trimtab.store import EvaluationStore, Recorded, StoredRun


class KeptRun(NamedTuple):
    """A recorded run in the store."""

    run_id: str
    run: Run
    is_new: bool
    """Whether it was not there before."""


def keep_recorded(store: EvaluationStore, suite: Suite, runs: Iterable[Run]) -> list[KeptRun]:
    """Keep recorded runs under ids made from their content, so that the same import twice keeps them once.

    One that was interrupted is completed.

    Args:
        store: Where runs are kept.
        suite: The cases of all of them; kept too.
        runs: Each with one result a case and sample.

    Raises:
        StoreError: the database failed.
    """
    store.keep_suite(suite)
    return [_kept(store, run, suite) for run in runs]


def _kept(store: EvaluationStore, run: Run, suite: Suite) -> KeptRun:
    run_id = f"run_{hashlib.sha256(msgspec.json.encode(run, order='deterministic')).hexdigest()[:26]}"
    plan = RunPlan(
        suite_name=run.suite_name,
        suite_version=run.suite_version,
        suite_digest=run.suite_digest,
        model=run.model,
        model_digest=run.model_digest,
        scorers=run.scorers,
        options=run.options,
    )
    stored = _find(store, run_id)
    if stored is None:
        n_expected, at_us = len(run.results), run.started_at_us
        store.begin(StoredRun(run_id=run_id, plan=plan, state="unfinished", n_expected=n_expected, started_at_us=at_us))
    if stored is None or stored.state == "unfinished":
        cases = {case.case_id: case for case in suite.cases}
        store.add_results(
            run_id,
            (Recorded(each, plan.request_digest(cases[each.case_id], each.sample)) for each in run.results),
        )
        store.finish(run_id)
    return KeptRun(run_id, run, is_new=stored is None)


def _find(store: EvaluationStore, run_id: str) -> StoredRun | None:
    try:
        return store.find(run_id)
    except NotFound:
        return None
