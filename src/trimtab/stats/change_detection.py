"""Has a stream of numbers changed its mean? Two detectors that read one number at a time.

Their thresholds are tuned, not proven: for an alarm at a stated rate take an e-process
(``trimtab.stats.betting.BettingProcess``). These are fast, need no hypothesis, and say where to look.
"""

import math
from dataclasses import dataclass

__all__ = ["AdaptiveWindow", "PageHinkley"]

_BUCKETS_OF_A_SIZE = 5
"""Of the exponential histogram; more make cuts finer and slower (the paper's M)."""


@dataclass(slots=True)
class _Bucket:
    """Some neighbouring numbers, summed up."""

    n: int
    mean: float
    squares: float
    """Sum of squared deviations from the mean."""

    def merged(self, other: "_Bucket") -> "_Bucket":
        n = self.n + other.n
        step = other.mean - self.mean
        squares = self.squares + other.squares + step * step * self.n * other.n / n
        return _Bucket(n, self.mean + step * other.n / n, squares)


class AdaptiveWindow:
    """Keep the longest recent stretch of a stream that has one mean; a change cuts off what was before it (ADWIN).

    Memory grows with the logarithm of the window.

    Args:
        delta: Chance of a false cut at one look, strictly between 0 and 1, by the paper's bound with normal
            approximation.
        check_every: Numbers between looks. 32 looks cheaply; 1 notices soonest.
        least_part: Numbers that each side of a cut needs.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> window = AdaptiveWindow()
        >>> changed = [position for position in range(200) if window.add(0.0 if position < 100 else 5.0)]
        >>> changed[:1]
        [127]

    Source:
        Bifet and Gavalda, "Learning from time-changing data with adaptive windowing", SIAM International Conference on
        Data Mining 2007, 443-448.
    """

    def __init__(self, *, delta: float = 0.002, check_every: int = 32, least_part: int = 5) -> None:
        if not 0 < delta < 1 or check_every < 1 or least_part < 1:
            raise ValueError(f"delta {delta}, check_every {check_every} and least_part {least_part} do not fit")
        self._delta, self._check_every, self._least_part = delta, check_every, least_part
        self._buckets: list[_Bucket] = []
        """Oldest first, sizes never growing."""
        self._n_seen = 0

    @property
    def n_window(self) -> int:
        """Numbers in the window."""
        return sum(bucket.n for bucket in self._buckets)

    @property
    def mean(self) -> float | None:
        """Mean of the window; ``None`` before the first number."""
        return self._whole().mean if self._buckets else None

    def add(self, value: float) -> bool:
        """Read one number; true when the window was cut because the mean had changed.

        Raises:
            ValueError: It is not finite.
        """
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        self._n_seen += 1
        self._buckets.append(_Bucket(1, value, 0.0))
        self._compress()
        return self._n_seen % self._check_every == 0 and self._cut()

    def _compress(self) -> None:
        """Merge the two oldest of a size when there is one too many, from small to large."""
        end = len(self._buckets)
        while end:
            start = end
            while start and self._buckets[start - 1].n == self._buckets[end - 1].n:
                start -= 1
            if end - start <= _BUCKETS_OF_A_SIZE:
                return
            self._buckets[start : start + 2] = [self._buckets[start].merged(self._buckets[start + 1])]
            end = start + 1

    def _cut(self) -> bool:
        """Drop the oldest bucket as long as some split of the window has two means."""
        is_cut = False
        while self._is_split():
            del self._buckets[0]
            is_cut = True
        return is_cut

    def _is_split(self) -> bool:
        whole = self._whole()
        older, total = _Bucket(0, 0.0, 0.0), whole.mean * whole.n
        for bucket in self._buckets[:-1]:
            older = older.merged(bucket)
            n_newer = whole.n - older.n
            if min(older.n, n_newer) < self._least_part:
                continue
            gap = abs(older.mean - (total - older.mean * older.n) / n_newer)
            if gap > self._threshold(older.n, n_newer, whole.squares / whole.n):
                return True
        return False

    def _threshold(self, n_older: int, n_newer: int, variance: float) -> float:
        """Return the gap of means that chance explains (the paper's epsilon_cut with variance)."""
        inverse = 1 / n_older + 1 / n_newer
        log_term = math.log(2 * math.log(n_older + n_newer) / self._delta)
        return math.sqrt(2 * inverse * variance * log_term) + 2 / 3 * inverse * log_term

    def _whole(self) -> _Bucket:
        whole = self._buckets[0]
        for bucket in self._buckets[1:]:
            whole = whole.merged(bucket)
        return whole


class PageHinkley:
    """Alarm when numbers have drifted from their running mean, up or down, for long enough (Page and Hinkley).

    Args:
        threshold: Accumulated drift that alarms, in units of the numbers; larger is slower and calmer.
        tolerance: Drift a number that is ignored, in units of the numbers.
        forgetting: Share of the accumulated drift that is kept from one number to the next, above 0 up to 1.
        warm_up: Numbers before the first alarm.

    Raises:
        ValueError: An argument is outside its range.

    Example:
        >>> detector = PageHinkley(threshold=10)
        >>> changed = [position for position in range(200) if detector.add(0.0 if position < 100 else 5.0)]
        >>> changed[:1]
        [102]

    Source:
        Page, "Continuous inspection schemes", Biometrika 41 (1954), 100-115; Hinkley, "Inference about the change-point
        from cumulative sum tests", Biometrika 58 (1971), 509-523.
    """

    def __init__(
        self, *, threshold: float = 50.0, tolerance: float = 0.005, forgetting: float = 0.9999, warm_up: int = 30
    ) -> None:
        if not (threshold > 0 and tolerance >= 0 and 0 < forgetting <= 1 and warm_up >= 1):
            raise ValueError(f"threshold {threshold}, tolerance {tolerance}, forgetting {forgetting} do not fit")
        self._threshold, self._tolerance = threshold, tolerance
        self._forgetting, self._warm_up = forgetting, warm_up
        self._n, self._mean, self._risen, self._fallen = 0, 0.0, 0.0, 0.0

    def add(self, value: float) -> bool:
        """Read one number; true when the mean has changed, after which the detector starts afresh.

        Raises:
            ValueError: It is not finite.
        """
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
        self._n += 1
        self._mean += (value - self._mean) / self._n
        drift = value - self._mean
        self._risen = max(self._forgetting * self._risen + drift - self._tolerance, 0.0)
        self._fallen = max(self._forgetting * self._fallen - drift - self._tolerance, 0.0)
        is_changed = self._n >= self._warm_up and max(self._risen, self._fallen) > self._threshold
        if is_changed:
            self._n, self._mean, self._risen, self._fallen = 0, 0.0, 0.0, 0.0
        return is_changed
