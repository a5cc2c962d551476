import math

import numpy as np
import pytest

from trimtab.stats.mmd import mmd_test


def test_the_statistic_of_four_points_is_worked_out_by_hand() -> None:
    # Points 0, 1 against 3, 4 with bandwidth 1: k(1) within each, k(3), k(4), k(2), k(3) across, k(d) = exp(-d**2 / 2).
    within, across = math.exp(-0.5), (2 * math.exp(-4.5) + math.exp(-8) + math.exp(-2)) / 4
    result = mmd_test([[0.0], [1.0]], [[3.0], [4.0]], bandwidth=1.0, n_permutations=19)

    assert result.mmd_squared == pytest.approx(2 * within - 2 * across)


def test_the_p_value_is_uniform_when_nothing_changed() -> None:
    random = np.random.default_rng(3)
    p_values = [
        mmd_test(random.normal(size=(40, 2)), random.normal(size=(30, 2)), n_permutations=99, seed=k).p_value
        for k in range(300)
    ]

    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 2 * 0.0126  # two standard errors of 300 runs
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.05)


def test_a_change_of_shape_with_the_same_mean_is_found() -> None:
    random = np.random.default_rng(4)
    calm, wild = random.normal(size=(200, 2)), 2 * random.normal(size=(200, 2))

    assert mmd_test(calm, wild).p_value == pytest.approx(1 / 501)


def test_the_order_of_rows_and_samples_does_not_matter() -> None:
    random = np.random.default_rng(5)
    one, other = random.normal(size=(30, 3)), random.normal(0.5, size=(20, 3))
    result = mmd_test(one, other)

    assert mmd_test(one[::-1], other).mmd_squared == pytest.approx(result.mmd_squared)
    assert mmd_test(other, one).mmd_squared == pytest.approx(result.mmd_squared)
    assert mmd_test(one, other) == result


def test_what_cannot_be_compared_is_an_error() -> None:
    points = np.random.default_rng(6).normal(size=(10, 2))
    with pytest.raises(ValueError, match="dimensions must be alike"):
        mmd_test(points, points[:, :1])
    with pytest.raises(ValueError, match="rows at most"):
        mmd_test(np.zeros((3000, 1)), np.zeros((3000, 1)))
    with pytest.raises(ValueError, match="do not differ"):
        mmd_test(np.zeros((5, 2)), np.zeros((5, 2)))
    with pytest.raises(ValueError, match="current of shape"):
        mmd_test(points, points[0])
