import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.stats.drift import population_stability_index

COUNTS = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=12).filter(
    lambda pairs: any(a for a, _ in pairs) and any(b for _, b in pairs)
)


def test_the_index_of_four_categories_is_worked_out_by_hand() -> None:
    # 2 * .05 * ln(1.2) + 2 * .05 * ln(1.25)
    assert population_stability_index([0.25] * 4, [0.30, 0.30, 0.20, 0.20]) == pytest.approx(0.0405465, abs=5e-8)


@given(COUNTS)
def test_the_index_has_no_direction_and_is_never_negative(pairs: list[tuple[int, int]]) -> None:
    before, after = zip(*pairs, strict=True)
    index = population_stability_index(before, after)

    assert index >= 0
    assert population_stability_index(after, before) == pytest.approx(index)
    assert population_stability_index(before, before) == 0


def test_chance_alone_moves_the_index_by_about_what_is_documented() -> None:
    random, shares = np.random.default_rng(2), [0.1, 0.2, 0.3, 0.4]
    found = [
        population_stability_index(random.multinomial(500, shares).tolist(), random.multinomial(800, shares).tolist())
        for _ in range(500)
    ]

    assert np.mean(found) == pytest.approx(3 * (1 / 500 + 1 / 800), rel=0.1)


def test_a_category_that_is_new_does_not_make_the_index_infinite() -> None:
    # .1 * ln(.1 / .0001) from the new one, -.1 * ln(.9 / 1) from the old one; its share then counts .0001.
    index = population_stability_index([100, 0], [90, 10])

    assert index == pytest.approx((0.1 - 0.0001) * math.log(1000) - 0.1 * math.log(0.9))


@pytest.mark.parametrize(("before", "after"), [([1, 2], [1]), ([], []), ([0, 0], [1, 1]), ([-1, 3], [1, 1])])
def test_counts_that_give_no_shares_are_errors(before: list[float], after: list[float]) -> None:
    with pytest.raises(ValueError, match=r"categories|no shares"):
        population_stability_index(before, after)
