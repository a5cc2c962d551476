import math

import numpy as np
import pytest
from tests.support.simulation import Drawn, coverage

from trimtab.stats import MeanInterval
from trimtab.stats.paired import PairedCounts, tango_interval
from trimtab.stats.stratified import poststratified_mean

RATES = {"easy": (0.9, 0.9, 200), "hard": (0.6, 0.4, 200)}
"""Baseline, candidate and cases of a suite with as many hard cases as easy ones."""


def test_symmetric_bounds_give_cochrans_variance() -> None:
    """Errors 0.01 and 0.05 at weights 0.8 and 0.2: the variance is 0.8^2 * 0.01^2 + 0.2^2 * 0.05^2 = 0.000164."""
    one, other = MeanInterval(0.02, 0.02 - 1.96 * 0.01, 0.02 + 1.96 * 0.01), MeanInterval(-0.1, -0.198, -0.002)

    found = poststratified_mean([one, other], [0.8, 0.2])

    assert found.mean == pytest.approx(-0.004)
    assert found.upper - found.mean == pytest.approx(1.96 * math.sqrt(0.000164))


def reweighted(random: np.random.Generator) -> Drawn:
    """Draw paired outcomes whose traffic is 90 % easy: the true loss is 0.1 * 0.2 = 2 points."""
    parts = []
    for theirs, ours, n in RATES.values():
        baseline, candidate = random.random(n) < theirs, random.random(n) < ours
        counts = PairedCounts.from_outcomes(zip(candidate.tolist(), baseline.tolist(), strict=True))
        parts.append(MeanInterval(counts.difference, *tango_interval(counts)))
    return Drawn(poststratified_mean(parts, [0.9, 0.1]), -0.02)


def test_the_reweighted_interval_covers_as_often_as_it_says() -> None:
    assert 0.93 <= coverage(reweighted, runs=300) <= 0.975
    assert 0.935 <= coverage(reweighted, runs=2000, seed=77) <= 0.97


def test_a_stratum_without_disagreement_keeps_its_doubt() -> None:
    same = MeanInterval(0.0, *tango_interval(PairedCounts(both=50, candidate_only=0, baseline_only=0, neither=0)))

    assert poststratified_mean([same], [1.0]).lower < -0.05


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [1.5, -0.5], []])
def test_weights_that_are_no_shares_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights"):
        poststratified_mean([MeanInterval(0, -1, 1)] * 2, weights)
