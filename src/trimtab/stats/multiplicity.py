"""Many tests at once: keep the chance of one false claim, or the share of false claims, where it was promised."""

import math
from collections.abc import Sequence

__all__ = [
    "adjust_benjamini_hochberg",
    "adjust_bonferroni",
    "adjust_hochberg",
    "adjust_holm",
    "p_to_e",
    "select_by_e_values",
]


def adjust_holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the chance of *any* false claim stays at alpha, however the tests depend on each other.

    Args:
        p_values: One for each claim, from 0 to 1.

    Returns:
        Adjusted p-values in the same order; claim those that are at most alpha.

    Raises:
        ValueError: A value is not between 0 and 1.

    Example:
        >>> adjust_holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]

    Source:
        Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979),
        65-70.
    """
    n = len(_checked(p_values))
    return _upwards(p_values, [n - rank for rank in range(n)])


def adjust_bonferroni(p_values: Sequence[float]) -> list[float]:
    """Multiply each p-value by their number; Holm claims at least as much at the same error.

    Args:
        p_values: One for each claim, from 0 to 1.

    Returns:
        Adjusted p-values in the same order.

    Raises:
        ValueError: A value is not between 0 and 1.

    Example:
        >>> adjust_bonferroni([0.01, 0.5])
        [0.02, 1.0]

    Source:
        Dunn, "Multiple comparisons among means", JASA 56 (1961), 52-64.
    """
    n = len(_checked(p_values))
    return [min(n * p, 1.0) for p in p_values]


def adjust_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values like Holm, but stepping up: claims more, and holds for independent or positively dependent tests.

    Args:
        p_values: One for each claim, from 0 to 1.

    Returns:
        Adjusted p-values in the same order; claim those that are at most alpha.

    Raises:
        ValueError: A value is not between 0 and 1.

    Example:
        >>> adjust_hochberg([0.01, 0.04, 0.03])
        [0.03, 0.04, 0.04]

    Source:
        Hochberg, "A sharper Bonferroni procedure for multiple tests of significance", Biometrika 75 (1988), 800-802.
    """
    n = len(_checked(p_values))
    return _downwards(p_values, [float(n - rank) for rank in range(n)])


def adjust_benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values so that the expected *share* of false claims among the claims stays at alpha.

    For lists to look through. A gate that moves traffic needs ``adjust_holm``.

    Args:
        p_values: One for each claim, from 0 to 1; independent or positively dependent.

    Returns:
        Adjusted p-values in the same order; claim those that are at most alpha.

    Raises:
        ValueError: A value is not between 0 and 1.

    Example:
        >>> adjust_benjamini_hochberg([0.01, 0.04, 0.03])
        [0.03, 0.04, 0.04]

    Source:
        Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995), 289-300.
    """
    n = len(_checked(p_values))
    return _downwards(p_values, [n / (rank + 1) for rank in range(n)])


def select_by_e_values(e_values: Sequence[float], *, level: float) -> list[bool]:
    """Claim hypotheses by their e-values (e-BH): the expected share of false claims stays at ``level``.

    Holds for any dependence, and at any time that somebody stops and looks.

    Args:
        e_values: Evidence against each hypothesis, 0 or more; infinity is allowed.
        level: Accepted share of false claims, between 0 and 1.

    Returns:
        Whether each is claimed, in the same order.

    Raises:
        ValueError: An e-value is negative or not a number, or ``level`` is not between 0 and 1.

    Example:
        >>> select_by_e_values([50, 30, 12, 2, 1], level=0.1)
        [True, True, False, False, False]

    Source:
        Wang and Ramdas, "False discovery rate control with e-values", JRSS B 84 (2022), 822-852.
    """
    if not 0 < level < 1:
        raise ValueError(f"level {level} is not between 0 and 1")
    for position, e in enumerate(e_values):
        if not e >= 0:
            raise ValueError(f"e_values[{position}] is {e}, which is no evidence")
    n = len(e_values)
    ranked = sorted(e_values, reverse=True)
    claimed = max((k for k, e in enumerate(ranked, 1) if e >= n / (level * k)), default=0)
    return [claimed > 0 and e >= ranked[claimed - 1] for e in e_values]


def p_to_e(p_value: float) -> float:
    """Turn a p-value into an e-value, so that evidence of both kinds can be combined.

    Args:
        p_value: From 0 to 1; 0 becomes infinity.

    Returns:
        An e-value: its expectation is at most 1 when the hypothesis is true.

    Raises:
        ValueError: It is not between 0 and 1.

    Example:
        >>> round(p_to_e(0.01), 4)
        4.451

    Source:
        Vovk and Wang, "E-values: calibration, combination and applications", Annals of Statistics 49 (2021), 1736-1754,
        the calibrator that integrates over ``k * p**(k - 1)``.
    """
    _checked([p_value])
    if p_value == 0:
        return math.inf
    log_p = math.log(p_value)
    if log_p > -1e-4:
        return 0.5 - log_p / 6  # The quotient below is 0/0 at 1; this is its expansion there.
    return (1 - p_value + p_value * log_p) / (p_value * log_p**2)


def _upwards(p_values: Sequence[float], factors: Sequence[float]) -> list[float]:
    """Scale the k-th smallest by the k-th factor; none may be below a smaller one's."""
    adjusted, floor = [0.0] * len(p_values), 0.0
    for rank, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        floor = max(floor, min(factors[rank] * p_values[position], 1.0))
        adjusted[position] = floor
    return adjusted


def _downwards(p_values: Sequence[float], factors: Sequence[float]) -> list[float]:
    """Scale the k-th smallest by the k-th factor; none may be above a larger one's."""
    adjusted, ceiling = [0.0] * len(p_values), 1.0
    for rank, position in reversed(list(enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)))):
        ceiling = min(ceiling, factors[rank] * p_values[position])
        adjusted[position] = ceiling
    return adjusted


def _checked(p_values: Sequence[float]) -> Sequence[float]:
    for position, p in enumerate(p_values):
        if not 0 <= p <= 1:
            raise ValueError(f"p_values[{position}] is {p}, which is not between 0 and 1")
    return p_values
