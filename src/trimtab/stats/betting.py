"""Bounds of a bounded mean at every time at once, by betting against each value it might have.

If the mean were ``m``, no bet on the next score could be expected to win. So whoever bets against ``m`` and gets rich
has shown, at that moment and for good, that the mean is not ``m``.
"""

import math
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from trimtab.stats._arrays import Vector, as_unit_vector
from trimtab.stats.intervals import Interval

__all__ = ["BettingProcess", "betting_evidence", "betting_interval"]

_BISECTIONS = 50
_MOST_LOST = 0.5
"""Share of the wealth that one bet may lose (the paper's ``c``)."""


def betting_interval(scores: ArrayLike, *, confidence: float = 0.95) -> Interval:
    """Bound the mean of scores in ``[0, 1]`` at every time at once, from their whole path so far.

    No assumption but the range: scores may have any shape and an unknown spread. The intervals of all earlier looks
    are intersected already. Scale other ranges to this one first.

    Args:
        scores: ``(n,)`` in the order in which they came, each in ``[0, 1]``.
        confidence: Coverage over the whole path.

    Returns:
        Bounds in ``[0, 1]``. A lower bound above the upper one says that no single mean fits: it moved on the way.

    Raises:
        ValueError: A score is outside ``[0, 1]`` or not a number, there is none, or ``confidence`` is not between 0
            and 1.

    Example:
        >>> lower, upper = betting_interval([1, 1, 0] * 100)
        >>> round(lower, 3), round(upper, 3)
        (0.574, 0.766)

    Source:
        Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024), 1-27,
        theorem 3: hedged capital with predictable plug-in bets.
    """
    values = as_unit_vector(scores, "scores")
    alpha = _alpha(confidence)
    stakes = _stakes(values, alpha)
    return Interval(_lower_edge(values, stakes, 2 / alpha), 1 - _lower_edge(1 - values, stakes, 2 / alpha))


def betting_evidence(scores: ArrayLike, *, mean: float, confidence: float = 0.95) -> Vector:
    """Return the evidence against "the mean is ``mean``" after each score.

    ``betting_interval`` excludes ``mean`` exactly when this has reached ``1 / (1 - confidence)`` somewhere.

    Args:
        scores: ``(n,)`` in the order in which they came, each in ``[0, 1]``.
        mean: The hypothesis, in ``[0, 1]``.
        confidence: For which the size of the bets is tuned; the evidence is valid at every level.

    Returns:
        ``(n,)``: e-values, 0 or more.

    Raises:
        ValueError: A score or ``mean`` is outside ``[0, 1]``, there is none, or ``confidence`` is not between 0 and 1.

    Example:
        >>> path = betting_evidence([1, 1, 0] * 100, mean=0.5)
        >>> len(path), bool(path.max() > 20)
        (300, True)

    Source:
        As ``betting_interval``.
    """
    values = as_unit_vector(scores, "scores")
    if not 0 <= mean <= 1:
        raise ValueError(f"mean {mean} is outside 0 to 1")
    stakes = _stakes(values, _alpha(confidence))
    above, below = _log_wealth(values, stakes, mean), _log_wealth(1 - values, stakes, 1 - mean)
    return np.asarray(np.exp(np.maximum(above, below)) / 2, dtype=np.float64)


class BettingProcess:
    """Evidence against "the mean is at least (or at most) ``null_mean``", one score at a time, in constant memory.

    Args:
        null_mean: Edge of the hypothesis, strictly between 0 and 1.
        alternative: ``less`` collects evidence that the mean is below ``null_mean``, ``greater`` that it is above.
        alpha: Error for which the size of the bets is tuned; the evidence is valid at every level.

    Raises:
        ValueError: ``null_mean`` or ``alpha`` is not strictly between 0 and 1.

    Example:
        >>> process = BettingProcess(null_mean=0.9, alternative="less")
        >>> for score in [1.0, 0.0] * 20:
        ...     process.add(score)
        >>> process.e_value > 20
        True

    Source:
        Waudby-Smith and Ramdas (2024), as ``betting_interval``.
    """

    __slots__ = ("_alpha", "_log_e", "_null", "_spread", "_turned")

    def __init__(self, *, null_mean: float, alternative: Literal["less", "greater"], alpha: float = 0.05) -> None:
        if not (0 < null_mean < 1 and 0 < alpha < 1):
            raise ValueError(f"null_mean {null_mean} and alpha {alpha} are not both strictly between 0 and 1")
        self._turned = alternative == "less"
        self._null = 1 - null_mean if self._turned else null_mean
        self._alpha = alpha
        self._spread = _Spread()
        self._log_e = 0.0

    def add(self, score: float) -> None:
        """Bet on one score in ``[0, 1]`` and settle.

        Raises:
            ValueError: It is outside.
        """
        if not 0 <= score <= 1:
            raise ValueError(f"score {score} is outside 0 to 1")
        value = 1 - score if self._turned else score
        stake = min(self._spread.stake(1 / self._alpha), _MOST_LOST / self._null)
        self._log_e += math.log1p(stake * (value - self._null))
        self._spread.add(value)

    @property
    def e_value(self) -> float:
        """Evidence so far; reject when it is at least ``1 / alpha``, whenever that happens."""
        return math.exp(self._log_e) if self._log_e < 700 else math.inf


class _Spread:
    """Variance of the scores so far, begun with one imagined score of 1/2 and a spread of 1/4 (the paper's choice)."""

    __slots__ = ("_n", "_squares", "_total")

    def __init__(self) -> None:
        self._n, self._total, self._squares = 1, 0.5, 0.25

    def stake(self, odds: float) -> float:
        """Return the next bet; it knows the past only, which is what makes the evidence valid."""
        return math.sqrt(2 * math.log(odds) / (self._squares * math.log1p(self._n)))

    def add(self, value: float) -> None:
        self._n += 1
        self._total += value
        self._squares += (value - self._total / self._n) ** 2


def _stakes(values: Vector, alpha: float) -> Vector:
    """Return what ``_Spread.stake`` says before each value, at odds of ``2 / alpha``; shape ``(n,)``."""
    n = np.arange(1, len(values) + 1)
    means = (0.5 + np.cumsum(values)) / (n + 1)
    squares = 0.25 + np.concatenate(([0.0], np.cumsum((values - means) ** 2)[:-1]))
    return np.sqrt(2 * math.log(2 / alpha) / (squares * np.log1p(n)))


def _log_wealth(values: Vector, stakes: Vector, mean: float) -> Vector:
    """Return the log of the wealth after each bet that the mean is above ``mean``; shape ``(n,)``."""
    if mean > 0:
        stakes = np.minimum(stakes, _MOST_LOST / mean)
    return np.cumsum(np.log1p(stakes * (values - mean)))


def _lower_edge(values: Vector, stakes: Vector, rich: float) -> float:
    """Return the largest mean that some moment's wealth refutes, or 0; wealth falls as the mean in question grows."""

    def is_refuted(mean: float) -> bool:
        return float(_log_wealth(values, stakes, mean).max()) >= math.log(rich)

    low, high = 0.0, 1.0
    if not is_refuted(low):
        return 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if is_refuted(middle):
            low = middle
        else:
            high = middle
    return low


def _alpha(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    return 1 - confidence
