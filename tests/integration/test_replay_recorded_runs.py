"""Recorded runs in the store: kept once, whole, and given back as they were."""

from pathlib import Path

import msgspec
from tests.support.evaluation import suite_of

from trimtab.core import SystemClock
from trimtab.evaluation import Answer, Outcome, Run, Suite, recorded_run, recorded_scorer
from trimtab.replay import keep_recorded
from trimtab.store import EvaluationStore, open_database


def _store(tmp_path: Path) -> EvaluationStore:
    return EvaluationStore(open_database(f"sqlite:///{tmp_path / 't.db'}"), SystemClock())


def _run(suite: Suite, model: str) -> Run:
    right = Outcome(answer=Answer(text="yes", cost_nano_usd=7, latency_ms=2.5), score=1.0)
    outcomes = {case.case_id: [right, Outcome(error="sample_error")] for case in suite.cases}
    return recorded_run(
        suite,
        outcomes,
        model=model,
        scorer=recorded_scorer("inspect/match"),
        is_binary=True,
        options={"recorded_from": "a.eval", "samples": 2},
        started_at_us=5,
    )


def test_a_recorded_run_comes_back_as_it_was(tmp_path: Path) -> None:
    suite, store = suite_of({"a": 2, "b": 1}), _store(tmp_path)
    run = _run(suite, "p:m")

    (kept,) = keep_recorded(store, suite, [run])

    assert msgspec.structs.replace(store.load_run(kept.run_id), run_id=None) == run
    assert store.load_suite(suite.digest) == suite
    assert store.find(kept.run_id).state == "finished"


def test_the_same_import_twice_keeps_one_run_and_one_that_was_cut_off_is_completed(tmp_path: Path) -> None:
    suite, store = suite_of({"a": 3}), _store(tmp_path)
    runs = [_run(suite, "p:m"), _run(suite, "p:n")]
    first = keep_recorded(store, suite, runs)

    second = keep_recorded(store, suite, runs)

    assert [kept.is_new for kept in (*first, *second)] == [True, True, False, False]
    assert len(store.list_runs(10)) == 2
    assert len(store.recorded(first[0].run_id)) == 6


def test_a_recorded_answer_is_never_taken_for_one_of_a_live_run(tmp_path: Path) -> None:
    suite, store = suite_of({"a": 1}), _store(tmp_path)
    (kept,) = keep_recorded(store, suite, [_run(suite, "p:m")])
    plan = store.find(kept.run_id).plan

    live = msgspec.structs.replace(plan, options={"temperature": 0.0, "samples": 2})

    assert store.cached([live.request_digest(suite.cases[0], 0)]) == {}
