import msgspec
import pytest
from tests.support.evaluation import graded_run, priced, run_of, suite_of

from trimtab.evaluation import Profile, profile_of
from trimtab.stats import wilson_interval

SUITE = suite_of({"hard": 3, "routine": 29})


def test_s35_every_models_quality_on_every_stratum_has_interval_and_n() -> None:
    """Wilson's published case: 1 of 29 is (0.0061, 0.1718)."""
    run = run_of(SUITE, {"hard": [True, False, None], "routine": [True] + [False] * 28})

    found = profile_of(run)

    hard, routine = found.strata
    assert (hard.group, hard.n_cases, hard.n_failed) == ("hard", 3, 1)
    assert hard.mean == pytest.approx(1 / 3)
    assert (routine.lower, routine.upper) == pytest.approx((0.0061, 0.1718), abs=5e-5)
    assert (found.overall.group, found.overall.n_cases, found.overall.mean) == (None, 32, 2 / 32)
    assert [quality.group for quality in found.task_types] == ["unknown"]
    assert msgspec.json.decode(msgspec.json.encode(found), type=Profile) == found


def test_s35_cases_that_belong_together_widen_the_interval() -> None:
    scores = [0.0] * 10 + [1.0] * 10
    suite = suite_of({"routine": 20})

    alone, together = (profile_of(graded_run(suite, {"routine": scores}, cluster_size=size)) for size in (1, 5))

    width = [found.overall.upper - found.overall.lower for found in (alone, together)]
    assert width[1] > 1.9 * width[0]
    assert (alone.overall.lower, alone.overall.upper) == tuple(wilson_interval(10, 20))


def test_cost_and_energy_are_means_over_answered_cases_and_unknown_stays_unknown() -> None:
    run = priced(run_of(SUITE, {"hard": [True, None, True], "routine": [True] * 29}), cost_nano_usd=100, energy_wh=0.5)
    unpriced = msgspec.structs.replace(run, results=(*run.results[:-1], *priced(run, cost_nano_usd=None).results[-1:]))

    assert profile_of(run).cost_nano_usd == pytest.approx(100 * 35 / 31)
    assert profile_of(run).energy_wh == 0.5
    assert (profile_of(unpriced).cost_nano_usd, profile_of(unpriced).energy_wh) == (None, None)


def test_times_are_percentiles_of_what_was_timed() -> None:
    run = run_of(suite_of({"routine": 20}), {"routine": [True] * 20})
    timed = tuple(
        msgspec.structs.replace(r, answer=msgspec.structs.replace(r.answer, latency_ms=float(i + 1)))
        for i, r in enumerate(run.results)
        if r.answer
    )

    found = profile_of(msgspec.structs.replace(run, results=timed))

    assert (found.latency_p50_ms, found.latency_p95_ms, found.n_timed) == (10.0, 19.0, 20)
    assert profile_of(run).latency_p50_ms is None
