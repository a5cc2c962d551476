"""A run ends with one result for each sample of each case, however often it was broken off, and pays for none twice."""

import asyncio
import math
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from tests.support.clock import StillClock
from tests.support.evaluation import suite_of
from tests.support.evaluation_runs import Rig, ScriptedModel, ScriptedScorer

from trimtab.core.errors import ConfigurationError, StoreError, UpstreamError
from trimtab.evaluation import Answer, Request
from trimtab.replay.evaluating import Grader, Manner, holding, score_again
from trimtab.replay.evaluating.running import AHEAD
from trimtab.store import Recorded, StoredRun

SUITE = suite_of({"routine": 30, "reasoning": 10})


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig.at(tmp_path, SUITE)


async def test_every_sample_of_every_case_is_asked_once_graded_and_kept(rig: Rig) -> None:
    rig.model.say = lambda request: Answer(text="yes" if request.sample else "no")

    run = await rig.run(rig.plan(samples=2, seed=7))

    assert (run.state, run.n_expected) == ("finished", 80)
    assert Counter(rig.model.asked) == Counter((case.case_id, sample) for case in SUITE.cases for sample in (0, 1))
    assert rig.scores(run) == {(case.case_id, sample): sample for case in SUITE.cases for sample in (0, 1)}
    seeds = {each.result.sample: each.result.seed for each in rig.store.results(run.run_id)}
    assert seeds == {0: 7, 1: 8}
    assert (rig.seen[-1].n_done, rig.seen[-1].n_expected) == (80, 80)


@pytest.mark.parametrize("n_before", [1, 17, 39])
async def test_a_run_that_was_broken_off_goes_on_where_it_stood(tmp_path: Path, n_before: int) -> None:
    rig = Rig.at(tmp_path, SUITE)
    await _break_off(rig, n_before)
    recorded = set(rig.store.recorded(_only(rig).run_id))
    again = ScriptedModel()
    rig.model = again

    run = await rig.run()

    assert recorded
    assert not recorded & set(again.asked)
    assert len(again.asked) == len(SUITE.cases) - len(recorded)
    assert run.state == "finished"
    assert len(rig.scores(run)) == 40


async def test_a_run_larger_than_what_is_looked_up_at_a_time_has_no_gap(tmp_path: Path) -> None:
    rig = Rig.at(tmp_path, suite_of({"routine": 2 * AHEAD + 3}))

    run = await rig.run()

    assert (run.state, len(rig.scores(run))) == ("finished", 2 * AHEAD + 3)


async def test_a_suite_that_changed_under_a_run_is_refused_with_both_digests(rig: Rig) -> None:
    await _break_off(rig, 5)
    before, rig.suite, rig.model = rig.suite, suite_of({"routine": 41}), ScriptedModel()

    with pytest.raises(ConfigurationError) as caught:
        await rig.run()

    assert before.digest in caught.value.message
    assert rig.suite.digest in caught.value.message
    assert (await rig.run(is_new=True)).state == "finished"


async def test_an_answer_that_is_known_is_not_paid_for_again(rig: Rig) -> None:
    await rig.run()
    rig.model.asked.clear()

    second = await rig.run()

    assert rig.model.asked == []
    assert all(each.result.is_cached for each in rig.store.results(second.run_id))
    assert set(rig.scores(second).values()) == {1.0}
    assert (rig.seen[-1].n_cached, rig.seen[-1].cost_nano_usd) == (40, 0)


@pytest.mark.parametrize(
    "other",
    [{"temperature": 0.5}, {"max_tokens": 9}, {"seed": 1}, {"stream": "no"}],
    ids=lambda other: next(iter(other)),
)
async def test_another_sampling_setting_is_another_request(rig: Rig, other: dict[str, float | int | str]) -> None:
    await rig.run()
    rig.model.asked.clear()

    await rig.run(msgspec.structs.replace(rig.plan(), options={**rig.plan().options, **other}))

    assert len(rig.model.asked) == 40


async def test_another_version_of_a_model_is_asked_and_so_is_a_routed_one(rig: Rig) -> None:
    await rig.run()
    await rig.run(rig.plan("auto"))
    rig.model.asked.clear()

    await rig.run(msgspec.structs.replace(rig.plan(), model_version="v2"))
    await rig.run(msgspec.structs.replace(rig.plan(), model_digest="0f"))
    await rig.run(rig.plan("auto"))

    assert len(rig.model.asked) == 120


async def test_without_the_cache_everything_is_asked(rig: Rig) -> None:
    await rig.run()
    rig.model.asked.clear()
    rig.manner = Manner(has_cache=False)

    await rig.run()

    assert len(rig.model.asked) == 40


async def test_failures_are_results_and_a_later_run_asks_for_them_alone(rig: Rig) -> None:
    rig.model.say = lambda request: (
        UpstreamError("bad", status=400) if request.case.stratum == "reasoning" else Answer(text="yes")
    )
    first = await rig.run()
    failed = [each.result for each in rig.store.results(first.run_id) if each.result.error == "status_400"]
    rig.model = ScriptedModel()

    second = await rig.run()

    assert (first.state, len(failed), rig.seen[39].n_failed) == ("finished", 10, 10)
    assert all(result.score is None and result.answer is None for result in failed)
    assert {case_id.split("-")[0] for case_id, _ in rig.model.asked} == {"reasoning"}
    assert set(rig.scores(second).values()) == {1.0}


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.5, -0.1])
async def test_a_score_that_is_none_ends_the_run_which_goes_on_without_asking_again(rig: Rig, value: float) -> None:
    rig.scorer = ScriptedScorer(lambda case, answer: value if case.case_id == "routine-5" else 0.5)
    with pytest.raises(ConfigurationError, match=rf"'scripted' cannot grade case 'routine-5': .* gave {value}"):
        await rig.run()
    kept = rig.store.recorded(_only(rig).run_id)
    rig.model.asked.clear()
    rig.scorer = ScriptedScorer(lambda case, answer: 0.25)

    run = await rig.run()

    assert run.state == "finished"
    assert ("routine-5", 0) in kept
    assert rig.scores(run)["routine-5", 0] == 0.25
    assert not kept & set(rig.model.asked)


async def test_a_scorer_that_cannot_tell_leaves_the_answer_without_a_score(rig: Rig) -> None:
    rig.scorer = ScriptedScorer(lambda case, answer: None)

    run = await rig.run()

    assert set(rig.scores(run).values()) == {None}
    assert list(rig.store.results(run.run_id, only_unscored=True)) == []


async def test_results_are_kept_while_the_run_goes_on(rig: Rig) -> None:
    rig.model.pause_s, rig.manner = 0.05, Manner(n_concurrent=1)
    running = asyncio.create_task(rig.run())
    await asyncio.sleep(0.9)

    n_kept = len(rig.store.recorded(_only(rig).run_id))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert 4 <= n_kept < 40


async def test_a_database_that_fails_ends_the_run_with_its_reason(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(run_id: str, results: list[Recorded]) -> None:
        raise StoreError("The disk is full.")

    rig.model.pause_s = 0.02
    monkeypatch.setattr(rig.store, "add_results", refuse)

    with pytest.raises(StoreError, match="The disk is full"):
        await rig.run()


async def test_at_most_so_many_requests_are_under_way(rig: Rig) -> None:
    under_way, most = 0, 0

    async def ask(request: Request) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001)
        under_way -= 1
        return Answer(text="yes")

    rig.model.ask = ask  # type: ignore[method-assign]  # counts what is under way
    await rig.run()

    assert most == 3


async def test_a_model_that_is_down_is_not_asked_again_and_again(rig: Rig) -> None:
    rig.model.say = lambda request: UpstreamError("down", status=503)

    run = await rig.run()

    # Twice each for the first ones; once each after eight in a row, three of which may have been under way.
    assert 40 + 8 <= len(rig.model.asked) <= 40 + 8 + 3
    assert {each.result.error for each in rig.store.results(run.run_id)} == {"status_503"}


async def test_scoring_again_makes_a_run_of_its_own_and_asks_nothing(rig: Rig) -> None:
    rig.model.say = lambda request: (
        UpstreamError("bad", status=400) if request.case.case_id == "routine-0" else Answer(text="no")
    )
    first = await rig.run()
    before = rig.scores(first)
    n_asked = len(rig.model.asked)
    grader = Grader(SUITE, lambda spec: ScriptedScorer(lambda case, answer: float(answer == "no")))

    second = await score_again(rig.store, first, SUITE, grader, StillClock())

    assert (second.state, second.scored_from, len(rig.model.asked)) == ("finished", first.run_id, n_asked)
    assert rig.scores(second) == {key: None if key[0] == "routine-0" else 1.0 for key in before}
    assert rig.scores(first) == before
    assert second.plan.scorers[0].label == "scripted"


async def test_scoring_again_with_a_broken_scorer_keeps_nothing(rig: Rig) -> None:
    first = await rig.run()
    grader = Grader(SUITE, lambda spec: ScriptedScorer(lambda case, answer: math.nan))

    with pytest.raises(ConfigurationError, match="gave nan"):
        await score_again(rig.store, first, SUITE, grader, StillClock())

    assert [run.run_id for run in rig.store.list_runs(5)] == [first.run_id]


async def test_a_run_is_filled_by_one_process_at_a_time(rig: Rig, tmp_path: Path) -> None:
    run = await rig.run()

    with (
        holding(tmp_path / "locks", run),
        pytest.raises(ConfigurationError, match="under way in another process"),
        holding(tmp_path / "locks", run),
    ):
        pass
    with holding(tmp_path / "locks", run):
        pass
    assert list((tmp_path / "locks").iterdir()) == []


def _only(rig: Rig) -> StoredRun:
    (run,) = rig.store.list_runs(5)
    return run


async def _break_off(rig: Rig, n_before: int) -> None:
    """Cancel a run after so many requests, as Ctrl-C does."""
    running = asyncio.create_task(rig.run())

    def stop_there(request: Request) -> Answer:
        if len(rig.model.asked) > n_before:
            running.cancel()
        return Answer(text="yes")

    rig.model.say = stop_there
    with pytest.raises(asyncio.CancelledError):
        await running
