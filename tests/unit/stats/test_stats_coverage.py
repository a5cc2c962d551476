"""Every interval covers as often as it says: 300 samples each, with the truth known."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.random import Generator
from tests.support.simulation import Drawn, coverage

from trimtab.stats import Moments, mean_interval, wilson_interval
from trimtab.stats.agreement import cohen_kappa, gwet_ac1
from trimtab.stats.bootstrap import BootstrapMethod, bootstrap_mean_interval
from trimtab.stats.judge_error import JudgeErrors, true_rate_interval
from trimtab.stats.off_policy import (
    PolicyValue,
    doubly_robust_value,
    importance_weights,
    inverse_propensity_value,
    self_normalised_value,
)
from trimtab.stats.paired import PairedCounts, newcombe_paired_interval, tango_interval
from trimtab.stats.paired_scores import paired_difference
from trimtab.stats.prediction_powered import corrected_difference, corrected_mean
from trimtab.stats.proportions import clopper_pearson_interval, newcombe_interval

Draw = Callable[[Generator], Drawn]


def _wilson(random: Generator) -> Drawn:
    return Drawn(wilson_interval(int(random.binomial(400, 0.8)), 400), 0.8)


def _clopper_pearson(random: Generator) -> Drawn:
    return Drawn(clopper_pearson_interval(int(random.binomial(2000, 0.4)), 2000), 0.4)


def _newcombe(random: Generator) -> Drawn:
    passes, others = random.binomial((300, 200), (0.85, 0.75))
    return Drawn(newcombe_interval(int(passes), 300, int(others), 200), 0.85 - 0.75)


def _counts(random: Generator) -> PairedCounts:
    both, gains, losses, neither = random.multinomial(400, (0.6, 0.08, 0.12, 0.2)).tolist()
    return PairedCounts(both=both, candidate_only=gains, baseline_only=losses, neither=neither)


def _tango(random: Generator) -> Drawn:
    return Drawn(tango_interval(_counts(random)), 0.08 - 0.12)


def _newcombe_paired(random: Generator) -> Drawn:
    return Drawn(newcombe_paired_interval(_counts(random)), 0.08 - 0.12)


def _mean(random: Generator) -> Drawn:
    bounds = mean_interval(Moments(random.normal(3, 2, 12).tolist()))
    assert bounds is not None
    return Drawn(bounds, 3)


def _paired_t(random: Generator) -> Drawn:
    difficulty = random.uniform(0.2, 0.8, 40)
    ours, theirs = random.normal(difficulty + 0.02, 0.1), random.normal(difficulty, 0.1)
    return Drawn(paired_difference(ours, theirs), 0.02)


def _clustered(random: Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return 200 differences in 40 clusters of unlike sizes, of which half the spread is the cluster's."""
    clusters = np.repeat(np.arange(40), np.tile([3, 7], 20))
    return random.normal(0, 0.1, 40)[clusters] + random.normal(0.05, 0.1, 200), clusters


def _paired_clusters(random: Generator) -> Drawn:
    differences, clusters = _clustered(random)
    return Drawn(paired_difference(differences, np.zeros(200), clusters=clusters), 0.05)


def _bootstrap(method: BootstrapMethod) -> Draw:
    def draw(random: Generator) -> Drawn:
        seed = int(random.integers(2**32))
        scores = random.beta(4, 2, 80)
        return Drawn(bootstrap_mean_interval(scores, method=method, n_resamples=1000, seed=seed), 4 / 6)

    return draw


def _bootstrap_clusters(random: Generator) -> Drawn:
    differences, clusters = _clustered(random)
    seed = int(random.integers(2**32))
    return Drawn(bootstrap_mean_interval(differences, clusters=clusters, n_resamples=1000, seed=seed), 0.05)


def _judged(random: Generator, truth: np.ndarray) -> np.ndarray:
    """Return a judge's verdicts: it passes 90 % of good answers and 30 % of bad ones."""
    return (random.random(truth.shape) < np.where(truth, 0.9, 0.3)).astype(float)


def _corrected_mean(random: Generator) -> Drawn:
    truth = (random.random(900) < 0.7).astype(float)
    judged = _judged(random, truth)
    return Drawn(corrected_mean(truth[:150], judged[:150], judged[150:]), 0.7)


def _corrected_difference(random: Generator) -> Drawn:
    ours, theirs = (random.random((2, 900)) < [[0.72], [0.7]]).astype(float)
    judged, judged_theirs = _judged(random, ours), _judged(random, theirs)
    labelled, rest = slice(150), slice(150, None)
    result = corrected_difference(
        ours[labelled], theirs[labelled], judged[labelled], judged_theirs[labelled], judged[rest], judged_theirs[rest]
    )
    return Drawn(result, 0.72 - 0.7)


def _true_rate(random: Generator) -> Drawn:
    passes, good, bad = random.binomial((600, 120, 120), (0.7 * 0.9 + 0.3 * 0.3, 0.9, 0.7))
    errors = JudgeErrors(true_passes=int(good), good=120, true_fails=int(bad), bad=120)
    return Drawn(true_rate_interval(int(passes), 600, errors=errors), 0.7)


def _graders(random: Generator) -> tuple[list[int], list[int]]:
    truth = random.random(300) < 0.7
    return _judged(random, truth).astype(int).tolist(), _judged(random, truth).astype(int).tolist()


# Both pass .7 * .81 + .3 * .09 = .594, each passes .72, so they agree on .594 + .154 = .748 of cases.
KAPPA = (0.748 - (0.72**2 + 0.28**2)) / (1 - (0.72**2 + 0.28**2))
AC1 = (0.748 - 2 * 0.72 * 0.28) / (1 - 2 * 0.72 * 0.28)


def _kappa(random: Generator) -> Drawn:
    return Drawn(cohen_kappa(*_graders(random)), KAPPA)


def _ac1(random: Generator) -> Drawn:
    return Drawn(gwet_ac1(*_graders(random)), AC1)


def _logged(random: Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rewards, weights and choices of 500 calls: two models, logged 80/20, target 30/70."""
    is_second = random.random(500) < 0.2
    rewards = (random.random(500) < np.where(is_second, 0.6, 0.8)).astype(float)
    weights = importance_weights(np.where(is_second, 0.7, 0.3), np.where(is_second, 0.2, 0.8))
    return rewards, weights, is_second


def _of_policy(value: Callable[[np.ndarray, np.ndarray], PolicyValue]) -> Draw:
    def draw(random: Generator) -> Drawn:
        rewards, weights, _ = _logged(random)
        return Drawn(value(rewards, weights), 0.3 * 0.8 + 0.7 * 0.6)

    return draw


def _doubly_robust(random: Generator) -> Drawn:
    rewards, weights, is_second = _logged(random)
    guess = np.where(is_second, 0.5, 0.75)  # wrong, which weighting corrects
    target = np.full(500, 0.3 * 0.75 + 0.7 * 0.5)
    return Drawn(doubly_robust_value(rewards, weights, guess, target), 0.3 * 0.8 + 0.7 * 0.6)


DRAWS: dict[str, Draw] = {
    "wilson": _wilson,
    "clopper-pearson": _clopper_pearson,
    "newcombe": _newcombe,
    "tango": _tango,
    "newcombe-paired": _newcombe_paired,
    "student": _mean,
    "paired-t": _paired_t,
    "paired-clusters": _paired_clusters,
    "bootstrap-bca": _bootstrap("bca"),
    "bootstrap-percentile": _bootstrap("percentile"),
    "bootstrap-clusters": _bootstrap_clusters,
    "corrected-mean": _corrected_mean,
    "corrected-difference": _corrected_difference,
    "judge-error": _true_rate,
    "kappa": _kappa,
    "ac1": _ac1,
    "ips": _of_policy(inverse_propensity_value),
    "snips": _of_policy(self_normalised_value),
    "doubly-robust": _doubly_robust,
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_an_interval_covers_the_truth_in_93_to_97_5_of_100_samples(draw: Draw) -> None:
    assert 0.93 <= coverage(draw, runs=300) <= 0.975


@pytest.mark.parametrize("name", [name for name in DRAWS if not name.startswith("bootstrap")])
def test_the_coverage_is_not_the_luck_of_one_seed(name: str) -> None:
    assert 0.935 <= coverage(DRAWS[name], runs=3000, seed=77) <= 0.97


def test_a_corrected_rate_keeps_its_promise_with_30_labels_of_a_kind() -> None:
    def few_labels(random: Generator) -> Drawn:
        passes, good, bad = random.binomial((600, 30, 30), (0.9 * 0.7 + 0.1 * 0.1, 0.7, 0.9))
        errors = JudgeErrors(true_passes=int(good), good=30, true_fails=int(bad), bad=30)
        return Drawn(true_rate_interval(int(passes), 600, errors=errors), 0.9)

    assert coverage(few_labels, runs=3000) >= 0.95


def test_this_check_refuses_an_interval_that_ignores_clusters() -> None:
    def ignoring_clusters(random: Generator) -> Drawn:
        differences, _ = _clustered(random)
        return Drawn(paired_difference(differences, np.zeros(200)), 0.05)

    assert coverage(ignoring_clusters, runs=300) < 0.93


def test_this_check_refuses_an_interval_that_believes_the_judge() -> None:
    def believing(random: Generator) -> Drawn:
        truth = random.random(900) < 0.7
        return Drawn(wilson_interval(int(_judged(random, truth).sum()), 900), 0.7)

    assert coverage(believing, runs=300) < 0.93
