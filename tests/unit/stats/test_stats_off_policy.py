import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.off_policy import (
    doubly_robust_value,
    effective_sample_size,
    importance_weights,
    inverse_propensity_value,
    self_normalised_value,
)

# Five logged calls: chance then, chance under the target, reward, predicted reward of the choice and of the target.
LOGGED = [0.8, 0.2, 0.5, 0.8, 0.2]
TARGET = [0.5, 0.5, 1.0, 0.5, 0.5]
REWARDS = [1, 0, 1, 0, 1]
PREDICTED = [0.9, 0.6, 0.8, 0.9, 0.6]
OF_TARGET = [0.75, 0.75, 0.8, 0.75, 0.75]

CALLS = st.lists(st.tuples(st.floats(0, 1), st.floats(0.05, 1), st.floats(0.05, 1)), min_size=2, max_size=40)


def test_the_five_call_example_is_worked_out_by_hand() -> None:
    weights = importance_weights(TARGET, LOGGED)

    assert weights.tolist() == pytest.approx([0.625, 2.5, 2, 0.625, 2.5])
    assert inverse_propensity_value(REWARDS, weights).value == pytest.approx(1.025)  # 5.125 / 5
    assert self_normalised_value(REWARDS, weights).value == pytest.approx(0.621212, abs=5e-7)  # 5.125 / 8.25
    assert np.mean(OF_TARGET) == pytest.approx(0.76)  # the direct method
    assert doubly_robust_value(REWARDS, weights, PREDICTED, OF_TARGET).value == pytest.approx(0.64)  # .76 - .6 / 5
    assert effective_sample_size(weights) == pytest.approx(3.938517, abs=5e-7)  # 8.25**2 / 17.28125


def test_clipping_holds_the_largest_weights() -> None:
    assert importance_weights(TARGET, LOGGED, clip=2).tolist() == pytest.approx([0.625, 2, 2, 0.625, 2])


@given(CALLS)
def test_a_policy_valued_on_its_own_log_is_the_mean_reward(calls: list[tuple[float, float, float]]) -> None:
    rewards, _, logged = (list(column) for column in zip(*calls, strict=True))
    weights = importance_weights(logged, logged)

    for value in (inverse_propensity_value, self_normalised_value):
        assert value(rewards, weights).value == pytest.approx(np.mean(rewards))


@given(CALLS)
def test_self_normalised_values_stay_among_the_rewards(calls: list[tuple[float, float, float]]) -> None:
    rewards, target, logged = (list(column) for column in zip(*calls, strict=True))
    value = self_normalised_value(rewards, importance_weights(target, logged)).value

    assert min(rewards) - 1e-9 <= value <= max(rewards) + 1e-9


@given(CALLS, st.floats(0.1, 10))
def test_self_normalised_values_and_bounds_do_not_depend_on_the_weights_scale(
    calls: list[tuple[float, float, float]], scale: float
) -> None:
    rewards, target, logged = (list(column) for column in zip(*calls, strict=True))
    weights = importance_weights(target, logged)

    scaled = self_normalised_value(rewards, scale * weights)
    assert scaled == pytest.approx(self_normalised_value(rewards, weights), abs=1e-9)


@given(CALLS)
def test_predictions_of_zero_leave_plain_weighting(calls: list[tuple[float, float, float]]) -> None:
    rewards, target, logged = (list(column) for column in zip(*calls, strict=True))
    weights, zeros = importance_weights(target, logged), [0.0] * len(calls)

    assert doubly_robust_value(rewards, weights, zeros, zeros) == inverse_propensity_value(rewards, weights)


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=50), st.floats(0.1, 10))
def test_the_effective_sample_size_is_between_1_and_n_and_has_no_unit(weights: list[float], scale: float) -> None:
    size = effective_sample_size(weights)

    assert 1 - 1e-9 <= size <= len(weights) + 1e-9
    assert effective_sample_size([scale * w for w in weights]) == pytest.approx(size)


def test_good_predictions_narrow_the_doubly_robust_bounds() -> None:
    random = np.random.default_rng(3)
    is_second = random.random(1000) < 0.2
    chance = np.where(is_second, 0.6, 0.8)
    rewards = chance + random.normal(0, 0.02, 1000)
    weights = importance_weights(np.where(is_second, 0.7, 0.3), np.where(is_second, 0.2, 0.8))
    robust = doubly_robust_value(rewards, weights, chance, np.full(1000, 0.66))

    assert robust.standard_error < 0.1 * inverse_propensity_value(rewards, weights).standard_error
    assert robust.lower < 0.66 < robust.upper


@pytest.mark.parametrize(
    ("target", "logged", "message"),
    [([0.5], [0.0], r"logged\[0\] is 0\.0"), ([1.5], [0.5], "outside 0 to 1"), ([0.5, 0.5], [0.5], "not paired")],
)
def test_propensities_that_cannot_be_are_errors(target: list[float], logged: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        importance_weights(target, logged)


def test_weights_that_say_nothing_are_errors() -> None:
    with pytest.raises(ValueError, match="clip"):
        importance_weights([0.5], [0.5], clip=0)
    with pytest.raises(ValueError, match="not all 0"):
        effective_sample_size([0, 0])
    with pytest.raises(ValueError, match="0 or more"):
        inverse_propensity_value([1, 1], [1, -1])
