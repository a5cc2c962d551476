"""Looking after every sample: what may be looked at keeps its promise over whole paths, and what may not breaks it."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from trimtab.stats import Moments
from trimtab.stats.asymptotic import asymptotic_interval, normal_mixture_bound, normal_mixture_rho
from trimtab.stats.betting import BettingProcess, betting_evidence, betting_interval
from trimtab.stats.e_processes import beta_binomial_e_value, beta_binomial_interval, mixture_sprt

ALPHA = 0.05
N_PATHS, LENGTH = 2000, 2000

Alarms = Callable[[np.ndarray], np.ndarray]
"""Takes fair coins, ``(n_paths, length)``, and says after which samples it calls them unfair, in the same shape."""


def coins(n_paths: int, length: int = LENGTH) -> np.ndarray:
    return np.random.default_rng(20).integers(0, 2, (n_paths, length)).astype(float)


def false_alarm_share(alarms: Alarms, n_paths: int = N_PATHS) -> float:
    """Return the share of paths with an alarm anywhere, though nothing is wrong with any coin."""
    return float(alarms(coins(n_paths)).any(axis=1).mean())


def assert_keeps_alpha(alarms: Alarms, n_paths: int = N_PATHS) -> None:
    assert false_alarm_share(alarms, n_paths) <= ALPHA


def z_test(paths: np.ndarray) -> np.ndarray:
    """Look after every sample from the 50th on, at 1.96 standard errors."""
    n = np.arange(1, paths.shape[1] + 1)
    z = (np.cumsum(paths, axis=1) - n / 2) / np.sqrt(n / 4)
    return (np.abs(z) > 1.96) & (n >= 50)


def beta_binomial(paths: np.ndarray) -> np.ndarray:
    """The evidence for each count of passes, from a table, since 4 million calls of one function take a while."""
    n = np.arange(1, paths.shape[1] + 1)
    needed = [first_alarm(int(trials)) for trials in n]
    passes = np.cumsum(paths, axis=1)
    return np.asarray(np.maximum(passes, n - passes) >= needed)


def first_alarm(trials: int) -> float:
    """Return the least count of passes, above half, whose evidence against a fair coin is 1 / alpha."""
    low, high = trials // 2, trials + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if beta_binomial_e_value(middle, trials, rate=0.5) >= 1 / ALPHA else (middle, high)
    return high if high <= trials else math.inf


def normal_mixture(paths: np.ndarray) -> np.ndarray:
    """The bound for a sum whose total variance is known: a quarter for each coin."""
    rho = normal_mixture_rho(LENGTH / 8, alpha=ALPHA)
    n = np.arange(1, paths.shape[1] + 1)
    bounds = [normal_mixture_bound(trials / 4, rho=rho, alpha=ALPHA) for trials in n]
    return np.asarray(np.abs(np.cumsum(paths, axis=1) - n / 2) >= bounds)


def betting(paths: np.ndarray) -> np.ndarray:
    return np.stack([betting_evidence(path, mean=0.5) for path in paths]) >= 1 / ALPHA


def sequential_ratio(paths: np.ndarray) -> np.ndarray:
    return np.array([[mixture_sprt_of(path, n) >= 1 / ALPHA for n in range(10, LENGTH, 10)] for path in paths])


def mixture_sprt_of(path: np.ndarray, n: int) -> float:
    return mixture_sprt(float(path[:n].mean()), n, deviation=0.5, expected_effect=0.1, null_mean=0.5)


def asymptotic(paths: np.ndarray) -> np.ndarray:
    """Look after every 20th sample from the 100th on."""
    rho = normal_mixture_rho(LENGTH / 8, alpha=ALPHA)
    alarms = np.zeros((len(paths), LENGTH), dtype=bool)
    for row, path in enumerate(paths):
        sample = Moments(path[:99].tolist())
        for n in range(99, LENGTH):
            sample.add(float(path[n]))
            if n % 20 == 0:
                bounds = asymptotic_interval(sample, rho=rho)
                alarms[row, n] = bounds is not None and not bounds.lower <= 0.5 <= bounds.upper
    return alarms


def one_sided_betting(paths: np.ndarray) -> np.ndarray:
    alarms = np.zeros(paths.shape, dtype=bool)
    for row, path in enumerate(paths.tolist()):
        process = BettingProcess(null_mean=0.5, alternative="less")
        for column, score in enumerate(path):
            process.add(score)
            alarms[row, column] = process.e_value >= 1 / ALPHA
    return alarms


@pytest.mark.parametrize("process", [beta_binomial, normal_mixture, betting])
def test_a_process_made_for_looking_keeps_alpha_over_2000_paths(process: Alarms) -> None:
    assert_keeps_alpha(process)


@pytest.mark.parametrize("process", [sequential_ratio, asymptotic, one_sided_betting])
def test_a_process_made_for_looking_keeps_alpha_over_400_paths(process: Alarms) -> None:
    assert_keeps_alpha(process, 400)


def test_a_z_test_that_peeks_fails_the_same_check() -> None:
    with pytest.raises(AssertionError):
        assert_keeps_alpha(z_test)


def test_the_published_rates_of_false_alarms_come_out() -> None:
    # 2,000 fair coins of length 2,000: 42 % for the z-test from 50 samples on, 3.9 % for the beta-binomial e-process.
    assert false_alarm_share(z_test) == pytest.approx(0.42, abs=0.03)
    assert false_alarm_share(beta_binomial) == pytest.approx(0.039, abs=0.01)


def test_the_z_test_is_sound_for_the_one_look_it_promises() -> None:
    once = z_test(coins(N_PATHS))[:, -1].mean()

    assert once == pytest.approx(ALPHA, abs=0.012)


@pytest.mark.parametrize(
    "process", [beta_binomial, normal_mixture, betting, sequential_ratio, asymptotic, one_sided_betting]
)
def test_a_process_made_for_looking_finds_a_coin_that_is_unfair(process: Alarms) -> None:
    unfair = (np.random.default_rng(21).random((50, LENGTH)) < 0.4).astype(float)

    assert process(unfair).any(axis=1).all()


def skewed_paths() -> np.ndarray:
    return (np.random.default_rng(8).random((300, 300)) < 0.8).astype(float)


def test_beta_binomial_intervals_of_all_looks_intersected_still_cover() -> None:
    missed = 0
    for path in skewed_paths():
        bounds = [beta_binomial_interval(int(path[:n].sum()), n) for n in range(10, 301, 10)]
        missed += not max(b.lower for b in bounds) <= 0.8 <= min(b.upper for b in bounds)

    assert missed / 300 <= ALPHA


def test_the_betting_interval_covers_at_its_last_look_with_all_earlier_ones_intersected() -> None:
    missed = 0
    for path in skewed_paths():
        lower, upper = betting_interval(path)
        missed += not lower <= 0.8 <= upper

    assert missed / 300 <= ALPHA
