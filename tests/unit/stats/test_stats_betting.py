import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.stats.betting import BettingProcess, betting_evidence, betting_interval

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=80)
PUBLISHED = [1, 1, 0] * 100


@pytest.mark.parametrize(
    ("lower", "upper", "tolerance"), [(0.574, 0.767, 1e-3), (0.57426, 0.76658, 2e-4)], ids=["confseq", "ville"]
)
def test_the_betting_interval_gives_other_packages_bounds(lower: float, upper: float, tolerance: float) -> None:
    # confseq searches a grid of 1,000 means, which is its tolerance; ville tests a finer one.
    assert betting_interval(PUBLISHED) == pytest.approx((lower, upper), abs=tolerance)


@given(SCORES)
def test_the_interval_mirrors_with_the_scores(scores: list[float]) -> None:
    lower, upper = betting_interval(scores)
    mirrored = betting_interval([1 - score for score in scores])

    assert (lower, upper) == pytest.approx((1 - mirrored.upper, 1 - mirrored.lower), abs=1e-9)


@given(SCORES, st.integers(1, 80))
def test_more_scores_only_narrow_the_interval(scores: list[float], cut: int) -> None:
    early, late = betting_interval(scores[:cut]), betting_interval(scores)

    assert early.lower <= late.lower + 1e-12
    assert late.upper <= early.upper + 1e-12


@given(SCORES, st.floats(0, 1))
def test_a_mean_is_excluded_exactly_when_its_evidence_was_1_over_alpha(scores: list[float], mean: float) -> None:
    lower, upper = betting_interval(scores)
    is_excluded = bool(betting_evidence(scores, mean=mean).max() >= 20)

    assert is_excluded == (not lower <= mean <= upper) or min(abs(mean - lower), abs(mean - upper)) < 1e-9


@settings(max_examples=50, deadline=None)
@given(st.floats(0.05, 0.95), st.integers(1, 8))
def test_evidence_is_expected_to_stay_at_1_or_below(mean: float, n: int) -> None:
    """Over all sequences of n coins, weighted by their chance; each side of the hedge is worth exactly 1."""
    paths = (np.arange(2**n)[:, np.newaxis] >> np.arange(n)) & 1
    chances = np.prod(np.where(paths, mean, 1 - mean), axis=1)
    evidence = np.array([betting_evidence(path, mean=mean)[-1] for path in paths])

    assert 0.5 <= float(chances @ evidence) <= 1 + 1e-9


def test_scores_of_small_spread_are_bounded_more_tightly_than_coins() -> None:
    random = np.random.default_rng(2)
    calm, coins = random.uniform(0.65, 0.75, 400), random.random(400) < 0.7
    narrow, wide = betting_interval(calm), betting_interval(coins)

    assert narrow.upper - narrow.lower < 0.4 * (wide.upper - wide.lower)


def test_a_mean_that_moved_leaves_an_empty_interval() -> None:
    lower, upper = betting_interval([0.0] * 200 + [1.0] * 1000)

    assert lower > upper


@given(SCORES, st.floats(0.05, 0.95))
def test_the_one_sided_process_is_fair_to_scores_on_its_edge(scores: list[float], null: float) -> None:
    less, greater = (BettingProcess(null_mean=null, alternative=side) for side in ("less", "greater"))
    for _ in scores:
        less.add(null)
        greater.add(null)

    assert less.e_value == pytest.approx(1)
    assert greater.e_value == pytest.approx(1)


@given(SCORES, st.floats(0.05, 0.95))
def test_the_two_sides_mirror_each_other(scores: list[float], null: float) -> None:
    less = BettingProcess(null_mean=null, alternative="less")
    greater = BettingProcess(null_mean=1 - null, alternative="greater")
    for score in scores:
        less.add(score)
        greater.add(1 - score)

    assert less.e_value == pytest.approx(greater.e_value, rel=1e-6)


def test_a_drop_of_ten_points_is_noticed_within_500_scores() -> None:
    random = np.random.default_rng(11)
    process = BettingProcess(null_mean=0.85, alternative="less")
    needed = next(n for n, ok in enumerate((random.random(500) < 0.75).tolist(), 1) if _rejects(process, ok))

    assert needed < 500


def _rejects(process: BettingProcess, ok: bool) -> bool:
    process.add(float(ok))
    return process.e_value >= 20


@pytest.mark.parametrize("scores", [[], [0.5, 1.5], [-0.1], [float("nan")]])
def test_scores_outside_the_range_are_errors(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="scores"):
        betting_interval(scores)


def test_impossible_hypotheses_are_errors() -> None:
    with pytest.raises(ValueError, match="outside 0 to 1"):
        betting_evidence([0.5], mean=1.2)
    with pytest.raises(ValueError, match="strictly between"):
        BettingProcess(null_mean=1.0, alternative="less")
    with pytest.raises(ValueError, match=r"score 1\.2"):
        BettingProcess(null_mean=0.5, alternative="less").add(1.2)
    with pytest.raises(ValueError, match="confidence"):
        betting_interval([0.5], confidence=1.0)
