"""Suites, runs and answers: kept once, found again, added up."""

import msgspec
import pytest
from sqlalchemy import update
from tests.support.clock import StillClock
from tests.support.evaluation import suite_of
from tests.support.store_rig import NOON_US

from trimtab.core.errors import NotFound, StoreError
from trimtab.evaluation import Answer, Case, CaseResult, RunPlan, ScorerSpec, ScorerUse, Suite, user_prompt
from trimtab.store import Database, EvaluationStore, Position, Recorded, RunTotals, StoredRun, run_totals
from trimtab.store.tables import evaluation_suites

SUITE = suite_of({"routine": 3, "reasoning": 1})


def plan(suite: Suite = SUITE, model: str = "local:small", **options: str | int | float | None) -> RunPlan:
    return RunPlan(
        suite_name=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest,
        model=model,
        model_version="v1",
        scorers=(ScorerUse(spec=ScorerSpec(name="exact_match")),),
        options={"temperature": 0.0, "max_tokens": 16, **options},
    )


def begun(store: EvaluationStore, run_id: str = "run_1", of: RunPlan | None = None, at: int = 0) -> StoredRun:
    run = StoredRun(run_id=run_id, plan=of or plan(), state="unfinished", n_expected=4, started_at_us=NOON_US + at)
    store.keep_suite(SUITE)
    store.begin(run)
    return run


def answered(case_id: str, text: str = "yes", *, sample: int = 0, score: float | None = 1.0, **facts: int) -> Recorded:
    answer = Answer(text=text, input_tokens=7, output_tokens=2, latency_ms=12.5, ttft_ms=3.25, cost_nano_usd=900)
    result = CaseResult(
        case_id=case_id,
        stratum="routine",
        answer=msgspec.structs.replace(answer, **facts),
        score=score,
        sample=sample,
        seed=5 + sample,
        n_tries=2,
        why="because",
    )
    return Recorded(result, request_digest=f"request-{case_id}-{sample}")


def failed(case_id: str, error: str = "upstream_timeout") -> Recorded:
    return Recorded(CaseResult(case_id=case_id, stratum="routine", error=error), request_digest=f"request-{case_id}-0")


@pytest.fixture
def store(database: Database) -> EvaluationStore:
    return EvaluationStore(database, StillClock())


def test_a_suite_is_kept_under_the_digest_of_its_content(store: EvaluationStore) -> None:
    store.keep_suite(SUITE)
    store.keep_suite(msgspec.structs.replace(SUITE, name="renamed"))

    found = store.load_suite(SUITE.digest)
    assert (found, found.name) == (SUITE, "planted")
    with pytest.raises(NotFound, match="no suite 'feed'"):
        store.load_suite("feed")


def test_a_stored_suite_that_somebody_changed_is_refused(store: EvaluationStore, database: Database) -> None:
    store.keep_suite(SUITE)
    other = suite_of({"routine": 2})
    store.keep_suite(other)
    with database.writing() as connection:
        connection.execute(
            update(evaluation_suites).where(evaluation_suites.c.digest == other.digest).values(digest="x")
        )

    with pytest.raises(StoreError, match="it was changed"):
        store.load_suite("x")


def test_a_run_and_its_results_come_back_as_they_were(store: EvaluationStore) -> None:
    run = begun(store)
    kept = [
        answered("routine-0", text="nul \x00, half a pair \ud800 and \U0001f600"),
        failed("routine-1"),
    ]
    store.add_results(run.run_id, kept)

    assert store.find("run_") == run
    assert list(store.results(run.run_id)) == kept
    assert store.recorded(run.run_id) == {Position("routine-0", 0), Position("routine-1", 0)}


def test_results_are_read_page_by_page_in_one_order(store: EvaluationStore) -> None:
    run = begun(store)
    kept = [answered(f"case-{number:04d}", sample=sample) for number in range(600) for sample in (0, 1)]
    store.add_results(run.run_id, reversed(kept))

    assert list(store.results(run.run_id)) == kept


def test_a_result_that_is_there_stays_as_it_is(store: EvaluationStore) -> None:
    run = begun(store)
    store.add_results(run.run_id, [answered("routine-0", "first")])
    store.add_results(run.run_id, [answered("routine-0", "second"), answered("routine-1")])

    texts = [each.result.answer.text for each in store.results(run.run_id) if each.result.answer is not None]
    assert texts == ["first", "yes"]


def test_a_missing_score_is_added_and_no_other_is_touched(store: EvaluationStore) -> None:
    run = begun(store)
    waiting = answered("routine-0", score=None)._replace(is_scored=False)
    store.add_results(run.run_id, [waiting, answered("routine-1", score=0.5)])
    assert list(store.results(run.run_id, only_unscored=True)) == [waiting]

    graded = msgspec.structs.replace(waiting.result, score=0.25, why="late")
    store.add_scores(run.run_id, [Recorded(graded, waiting.request_digest), answered("routine-1", score=0.0)])

    assert [each.result.score for each in store.results(run.run_id)] == [0.25, 0.5]
    assert list(store.results(run.run_id, only_unscored=True)) == []


def test_an_unfinished_run_is_found_by_its_settings_even_after_its_suite_changed(store: EvaluationStore) -> None:
    begun(store, "run_1")
    newest = begun(store, "run_2", at=1)
    begun(store, "run_3", plan(model="local:large"), at=2)
    changed = suite_of({"routine": 4})

    assert store.unfinished(plan()) == newest
    found = store.unfinished(plan(changed))
    assert found is not None
    assert found.plan.suite_digest != changed.digest
    assert store.unfinished(plan(temperature=1.0)) is None
    store.finish("run_1")
    store.finish("run_2")
    assert store.unfinished(plan()) is None


def test_a_name_that_fits_no_run_or_several_is_refused(store: EvaluationStore) -> None:
    begun(store, "run_1")
    begun(store, "run_11", at=1)

    assert store.find("run_11").run_id == "run_11"
    with pytest.raises(NotFound, match="2 runs have an id that begins with 'run_': run_11, run_1"):
        store.find("run_")
    with pytest.raises(NotFound, match="No runs"):
        store.find("run%")


def test_the_newest_answer_to_an_equal_request_is_the_cached_one(store: EvaluationStore) -> None:
    begun(store, "run_2", at=2)
    begun(store, "run_1", at=1)
    store.add_results("run_2", [answered("routine-0", "newer"), failed("routine-1")])
    store.add_results("run_1", [answered("routine-0", "older"), answered("routine-2", "other")])

    found = store.cached(["request-routine-0-0", "request-routine-1-0", "request-unknown-0"])

    assert {digest: answer.text for digest, answer in found.items()} == {"request-routine-0-0": "newer"}
    assert store.known(["request-routine-0-0", "request-routine-1-0"]) == {"request-routine-0-0"}


def test_totals_add_up_and_count_a_missing_answer_as_wrong(store: EvaluationStore, database: Database) -> None:
    run = begun(store)
    cached = answered("routine-2", "")
    rows = [
        answered("routine-0", sample=0, score=1.0),
        answered("routine-0", sample=1, score=0.0),
        failed("routine-1"),
        cached._replace(result=msgspec.structs.replace(cached.result, is_cached=True)),
        answered("reasoning-0", score=None)._replace(is_scored=False),
    ]
    store.add_results(run.run_id, rows)

    found = run_totals(database, [run.run_id])[run.run_id]

    # Cases 0.5, 0 and 1; the one that waits for its scorer is none yet. 3 fresh answers at 900 nano-dollars.
    assert found == RunTotals(
        n_results=5,
        n_answered=4,
        n_empty=1,
        n_cached=1,
        n_unscored=1,
        cost_nano_usd=2700,
        input_tokens=28,
        output_tokens=8,
        n_cases=3,
        score_sum=1.5,
        score_square_sum=1.25,
        errors={"upstream_timeout": 1},
    )
    assert run_totals(database, ["run_none"]) == {}


def test_a_whole_run_has_its_results_in_the_suites_order_with_what_its_cases_say(store: EvaluationStore) -> None:
    cases = [
        Case(case_id=name, messages=user_prompt(name), expected="yes", stratum="routine", task_type="math", tags=tags)
        for name, tags in (("b", ("cluster:one",)), ("a", ()))
    ]
    suite = Suite(name="two", version="3", cases=tuple(cases))
    store.keep_suite(suite)
    store.begin(StoredRun(run_id="run_9", plan=plan(suite), state="finished", n_expected=2, started_at_us=NOON_US))
    store.add_results("run_9", [answered("a"), answered("b")])

    run = store.load_run("run_9")

    assert [(result.case_id, result.task_type, result.cluster) for result in run.results] == [
        ("b", "math", "one"),
        ("a", "math", None),
    ]
    assert (run.suite_digest, run.scorer, run.run_id, run.model_version) == (suite.digest, "exact_match", "run_9", "v1")
