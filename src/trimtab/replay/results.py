"""Sums over a simulation, one for each way of choosing."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal

import msgspec

from trimtab.routing import Estimate
from trimtab.stats import Moments, mean_interval, wilson_interval

Kind = Literal["recorded", "policy", "single"]


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What one way of choosing would have cost and achieved. Intervals are 95 %."""

    name: str
    kind: Kind
    """``recorded`` is what happened, ``single`` sends everything to one model whatever policy says."""
    n_calls: int
    """Calls simulated, refused ones included."""
    n_refused: int
    n_unchanged: int
    """Calls that go where they went; compare with ``n_compared``."""
    n_compared: int
    """Calls whose recorded model is known."""
    cost_nano_usd: int
    """Sum over the priced calls; with ``n_unpriced`` above 0 it is a part of the cost and not the cost."""
    n_unpriced: int
    n_repriced: int
    """Priced calls whose cost was worked out from tokens, because the chosen model was never asked this prompt or its
    outcome carried no cost."""
    quality: Estimate | None
    """Mean of the chosen models' own outcomes. Rates get Wilson's interval, other scores Student's."""
    n_ungraded: int
    """Calls answered by a model whose quality on this prompt nobody measured."""
    latency_ms: Estimate | None
    """Mean of the chosen models' own outcomes."""
    calls_by_model: Mapping[str, int]
    cost_difference_nano_usd: Estimate | None
    """Per call, this minus recorded, over the calls where both are known; below 0 is a saving."""
    quality_difference: Estimate | None
    """Paired by prompt, this minus recorded, over the prompts where both are graded."""


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """The results side by side."""

    recorded: Result
    policies: tuple[Result, ...]
    singles: tuple[Result, ...]
    n_calls: int


class Tally:
    """Running sums of one way of choosing."""

    def __init__(self, name: str, kind: Kind) -> None:
        self._name, self._kind = name, kind
        self._calls: Counter[str] = Counter()
        self._n_refused = self._n_unchanged = self._n_compared = 0
        self._cost = self._n_unpriced = self._n_repriced = self._n_ungraded = 0
        self._quality = Moments()
        self._n_passes = 0
        self._is_rate = True
        self._latency = Moments()
        self._cost_steps = Moments()
        self._quality_steps = Moments()

    def refuse(self, baseline: str | None) -> None:
        """Count a call for which nobody was chosen."""
        self._n_refused += 1
        self._n_compared += baseline is not None

    def add(
        self,
        model: str,
        result: "Answer",
        baseline_model: str | None,
        baseline: "Answer | None",
    ) -> None:
        """Count a call that ``model`` answers, beside what was recorded for it."""
        self._calls[model] += 1
        if baseline_model is not None:
            self._n_compared += 1
            self._n_unchanged += model == baseline_model
        cost, is_repriced, quality, latency_ms = result
        if cost is None:
            self._n_unpriced += 1
        else:
            self._cost += cost
            self._n_repriced += is_repriced
        if latency_ms is not None:
            self._latency.add(latency_ms)
        if quality is None:
            self._n_ungraded += 1
        else:
            self._quality.add(quality)
            self._n_passes += quality == 1
            self._is_rate = self._is_rate and quality in (0, 1)
        if baseline is not None:
            self._compare(cost, quality, baseline)

    def _compare(self, cost: int | None, quality: float | None, baseline: "Answer") -> None:
        base_cost, _, base_quality, _ = baseline
        if cost is not None and base_cost is not None:
            self._cost_steps.add(cost - base_cost)
        if quality is not None and base_quality is not None:
            self._quality_steps.add(quality - base_quality)

    def result(self) -> Result:
        """Return the sums as they stand."""
        return Result(
            name=self._name,
            kind=self._kind,
            n_calls=self._calls.total() + self._n_refused,
            n_refused=self._n_refused,
            n_unchanged=self._n_unchanged,
            n_compared=self._n_compared,
            cost_nano_usd=self._cost,
            n_unpriced=self._n_unpriced,
            n_repriced=self._n_repriced,
            quality=self._quality_estimate(),
            n_ungraded=self._n_ungraded,
            latency_ms=_estimate(self._latency, floor=0.0),
            calls_by_model=dict(self._calls.most_common()),
            cost_difference_nano_usd=_estimate(self._cost_steps),
            quality_difference=_estimate(self._quality_steps, floor=-1.0, ceiling=1.0),
        )

    def _quality_estimate(self) -> Estimate | None:
        n = self._quality.n_samples
        if not n or not self._is_rate:
            return _estimate(self._quality, floor=0.0, ceiling=1.0)
        interval = wilson_interval(self._n_passes, n)
        return Estimate(mean=self._n_passes / n, lower=interval.lower, upper=interval.upper, n_samples=n)


Answer = tuple[int | None, bool, float | None, float | None]
"""Cost in nano-dollars, whether it was worked out from tokens, quality, latency in milliseconds."""


def _estimate(sample: Moments, *, floor: float = -float("inf"), ceiling: float = float("inf")) -> Estimate | None:
    """Return the mean with its interval inside the possible range; ``None`` below two samples, which have none."""
    interval = mean_interval(sample)
    if interval is None:
        return None
    return Estimate(
        mean=sample.mean,
        lower=max(floor, interval.lower),
        upper=min(ceiling, interval.upper),
        n_samples=sample.n_samples,
    )
