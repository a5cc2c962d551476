"""What this worker measures of each model while it serves: time to first chunk, total time, output speed."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from trimtab.catalog import ProbeResult

MEASURED_CALLS = 512
"""Newest calls kept per model; a p95 over 512 has a rank error of about one point."""

ENOUGH_CALLS = 20
"""From so many calls on, what was measured here is better than what was measured elsewhere or by a probe."""

Sample = tuple[float, float | None, int | None]
"""One call: total and first-chunk milliseconds, output tokens."""


class Speed(NamedTuple):
    """Measured latency of one model. ``None`` where nothing was measured."""

    ttft_p95_ms: float | None
    total_p95_ms: float | None
    output_tokens_per_s: float | None
    n_samples: int
    probe_day: str | None = None
    """ISO date of the probe that the figures come from; ``None``: from calls."""

    @classmethod
    def of_probe(cls, probe: ProbeResult) -> "Speed | None":
        """Return the speed of a probed model at the least concurrency tried, or ``None`` where nothing came.

        The gateway's calls meet a model that is no less busy, so a model that misses a target even so will miss it.
        The time of a whole call depends on its length, which a probe chose for itself.
        """
        light = probe.light
        if light is None or light.ttft_p95_ms is None:
            return None
        return cls(light.ttft_p95_ms, None, light.call_output_tokens_per_s, light.n_calls, probe.day)


@dataclass(slots=True)
class _Window:
    ttft_ms: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED_CALLS))
    total_ms: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED_CALLS))
    tokens_per_s: deque[float] = field(default_factory=lambda: deque(maxlen=MEASURED_CALLS))


class Measurements:
    """Rolling latency windows, one per model, seeded from the journal at start.

    Args:
        seed: By model, from the journal.
        probes: By model, the newest; they stand in where the calls are too few.
    """

    def __init__(
        self, seed: Mapping[str, Speed] | None = None, probes: Mapping[str, ProbeResult] | None = None
    ) -> None:
        self._seed = dict(seed or {})
        self._probed: Mapping[str, Speed] = {}
        self.take_probes(probes or {})
        self._windows: dict[str, _Window] = {}

    @classmethod
    def of(
        cls, samples: Mapping[str, Iterable[Sample]], probes: Mapping[str, ProbeResult] | None = None
    ) -> "Measurements":
        """Return what calls recorded elsewhere would have measured, by model."""
        measured = cls(probes=probes)
        for model, calls in samples.items():
            for total_ms, ttft_ms, output_tokens in calls:
                measured.observe(model, total_ms=total_ms, ttft_ms=ttft_ms, output_tokens=output_tokens)
        return measured

    def take_probes(self, probes: Mapping[str, ProbeResult]) -> None:
        """Let these probes stand in from now on, and no others."""
        found = {model: Speed.of_probe(probe) for model, probe in probes.items()}
        self._probed = {model: speed for model, speed in found.items() if speed is not None}

    def observe(self, model: str, *, total_ms: float, ttft_ms: float | None, output_tokens: int | None) -> None:
        """Add one successful call."""
        window = self._windows.get(model)
        if window is None:
            window = self._windows[model] = _Window()
        window.total_ms.append(total_ms)
        if ttft_ms is not None:
            window.ttft_ms.append(ttft_ms)
            if output_tokens and total_ms > ttft_ms:
                window.tokens_per_s.append(output_tokens / (total_ms - ttft_ms) * 1000)

    def speed(self, model: str) -> Speed:
        """Return the model's figures: from this process once it has 20 calls of its own, before that the journal's.

        A probe's stand in where neither has as many.
        """
        called, probed = self._called(model), self._probed.get(model)
        return probed if probed is not None and called.n_samples < ENOUGH_CALLS else called

    def _called(self, model: str) -> Speed:
        window = self._windows.get(model)
        seed = self._seed.get(model)
        if window is None or (seed is not None and len(window.total_ms) < ENOUGH_CALLS):
            return seed or Speed(None, None, None, 0)
        return Speed(
            _quantile(window.ttft_ms, 0.95),
            _quantile(window.total_ms, 0.95),
            _quantile(window.tokens_per_s, 0.5),
            len(window.total_ms),
        )


def _quantile(values: deque[float], share: float) -> float | None:
    """Nearest-rank quantile: the smallest value with at least ``share`` of the sample at or below it."""
    if not values:
        return None
    ordered = sorted(values)
    rank = -int(-len(ordered) * share // 1)
    return ordered[max(rank, 1) - 1]
