import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from trimtab.stats.bootstrap import bootstrap_interval, bootstrap_mean_interval

# Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), table 14.1: spatial test, column A.
SPATIAL = np.array(
    [48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6, 0, 33, 28, 34, 4, 32, 24, 47, 41, 24, 26, 30, 41], dtype=float
)


def variance(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(rows.var(axis=1))


def test_bca_of_the_spatial_test_data_is_as_published() -> None:
    # Published from 2,000 resamples: variance 171.5, 90 % BCa (115.8, 259.6), percentile (100.8, 233.9).
    assert variance(SPATIAL[np.newaxis])[0] == pytest.approx(171.5, abs=0.05)
    bca = bootstrap_interval(SPATIAL, variance, confidence=0.9, n_resamples=20_000)
    percentile = bootstrap_interval(SPATIAL, variance, method="percentile", confidence=0.9, n_resamples=20_000)

    assert bca == pytest.approx((115.8, 259.6), abs=4)
    assert percentile == pytest.approx((100.8, 233.9), abs=4)


def test_bca_of_a_mean_equals_scipys() -> None:
    from scipy.stats import bootstrap

    scores = np.random.default_rng(1).exponential(size=30)
    ours = bootstrap_mean_interval(scores, n_resamples=20_000)
    theirs = bootstrap((scores,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(7))

    assert ours == pytest.approx(tuple(theirs.confidence_interval), abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    scores = np.random.default_rng(1).random(50)

    assert bootstrap_mean_interval(scores, seed=3) == bootstrap_mean_interval(scores, seed=3)
    assert bootstrap_mean_interval(scores, seed=3) != bootstrap_mean_interval(scores, seed=4)


def test_batches_do_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(1).random(40)
    whole = bootstrap_mean_interval(scores, n_resamples=1000)
    monkeypatch.setattr("trimtab.stats.bootstrap._BATCH", 333)

    assert bootstrap_mean_interval(scores, n_resamples=1000) == whole


def test_clusters_that_repeat_their_score_count_once() -> None:
    scores = np.random.default_rng(1).random(20)
    each_five_times, clusters = np.repeat(scores, 5), np.repeat(np.arange(20), 5)

    assert bootstrap_mean_interval(each_five_times, clusters=clusters) == pytest.approx(bootstrap_mean_interval(scores))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-5, 5), min_size=2, max_size=20), st.floats(-3, 3), st.floats(0.1, 4))
def test_the_interval_moves_and_stretches_with_the_scores(scores: list[float], shift: float, scale: float) -> None:
    lower, upper = bootstrap_mean_interval(scores, n_resamples=200, method="percentile")
    moved = bootstrap_mean_interval([shift + scale * s for s in scores], n_resamples=200, method="percentile")

    assert min(scores) - 1e-9 <= lower <= upper <= max(scores) + 1e-9
    assert moved == pytest.approx((shift + scale * lower, shift + scale * upper), abs=1e-9)


def test_scores_that_are_all_alike_give_a_point() -> None:
    assert bootstrap_mean_interval([0.5] * 10, n_resamples=100) == (0.5, 0.5)


def test_what_cannot_be_resampled_is_an_error() -> None:
    with pytest.raises(ValueError, match="needs 2"):
        bootstrap_mean_interval([0.5])
    with pytest.raises(ValueError, match="1 rows"):
        bootstrap_mean_interval([0.5, 0.6], clusters=["a", "a"])
    with pytest.raises(ValueError, match="not paired"):
        bootstrap_mean_interval([0.5, 0.6], clusters=["a"])
    with pytest.raises(ValueError, match="99 resamples"):
        bootstrap_mean_interval([0.5, 0.6], n_resamples=99)
    with pytest.raises(ValueError, match="not finite"):
        bootstrap_interval(np.ones((3, 2)), lambda rows: np.full(len(rows), np.nan), n_resamples=100)
