"""Prometheus metrics of the data plane. Labels are names from the configuration, never content and never keys."""

import os
from collections.abc import Mapping
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from trimtab.core import Usage

LATENCY_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
"""Seconds; the buckets OpenTelemetry's GenAI conventions name for ``gen_ai.client.operation.duration``."""

SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment name by which prometheus_client learns where several workers keep their counts; set by the supervisor."""

MAX_WAITING = 4096
"""Calls that wait to be counted; a worker counts four times a second, so only a storm comes near."""


class Metrics:
    """Counters of one worker. Label sets are looked up once and kept, because looking them up costs most."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        labels = ("api", "workload", "model", "status")
        self._calls = Counter("trimtab_calls", "Calls by outcome.", labels, registry=self.registry)
        self._duration = Histogram(
            "trimtab_call_duration_seconds",
            "Time from the request's head to the answer's end.",
            ("api", "model"),
            buckets=LATENCY_BUCKETS,
            registry=self.registry,
        )
        self._tokens = Counter("trimtab_tokens", "Tokens by kind.", ("model", "kind"), registry=self.registry)
        self._cost = Counter("trimtab_cost_usd", "Cost in US dollars.", ("workload", "model"), registry=self.registry)
        self._unpriced = Counter("trimtab_unpriced_calls", "Calls with no price.", ("model",), registry=self.registry)
        self._attempts = Counter(
            "trimtab_attempts", "Tries at a model by outcome.", ("model", "outcome"), registry=self.registry
        )
        self._rejected = Counter(
            "trimtab_rejected", "Requests refused before a decision.", ("code",), registry=self.registry
        )
        self._in_flight = Gauge(
            "trimtab_calls_in_flight", "Calls being served now.", registry=self.registry, multiprocess_mode="livesum"
        )
        self._degraded = Gauge(
            "trimtab_degraded",
            "1 while /readyz says degraded.",
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._engine_ready = Gauge(
            "trimtab_engine_ready",
            "1 while the local engine answers.",
            ("engine",),
            registry=self.registry,
            multiprocess_mode="livemin",
        )
        self._engine_restarts = Gauge(
            "trimtab_engine_restarts",
            "Starts of the local engine after its first, since the service began.",
            ("engine",),
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self._of_calls: dict[tuple[str, str, str, str], tuple[Counter, Histogram]] = {}
        self._of_usage: dict[tuple[str, str], _UsageCounters] = {}
        self._of_attempts: dict[tuple[str, str], Counter] = {}
        self._ended: list[tuple[tuple[str, str, str, str], float]] = []
        self._used: list[tuple[str, str, Usage, int | None]] = []
        self._tried: list[tuple[str, str]] = []

    def call(self, api: str, workload: str, model: str, status: str, duration_s: float) -> None:
        """Count one finished call."""
        self._ended.append(((api, workload, model, status), duration_s))
        if len(self._ended) >= MAX_WAITING:
            self._count()

    def usage(self, workload: str, model: str, usage: Usage, cost_nano_usd: int | None) -> None:
        """Count tokens and money of one call that reached a model."""
        self._used.append((workload, model, usage, cost_nano_usd))

    def attempt(self, model: str, outcome: str) -> None:
        """Count one try at a model."""
        self._tried.append((model, outcome))

    def reject(self, code: str) -> None:
        """Count a request that was refused before any decision."""
        self._rejected.labels(code).inc()

    def show_state(self, *, n_in_flight: int, is_degraded: bool) -> None:
        """Set what is a state and not a count, and count what waits."""
        self._count()
        self._in_flight.set(n_in_flight)
        self._degraded.set(is_degraded)

    def show_engines(self, states: Mapping[str, tuple[bool, int]]) -> None:
        """Set how the local engines are: ready or not, and how often each was started again."""
        for engine, (is_ready, n_restarts) in states.items():
            self._engine_ready.labels(engine).set(is_ready)
            self._engine_restarts.labels(engine).set(n_restarts)

    def render(self) -> bytes:
        """Return the text exposition format: of all workers together, whichever of them is asked."""
        self._count()
        registry = self.registry
        if SHARED_FOLDER in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # prometheus_client leaves it untyped
        return generate_latest(registry)

    def _count(self) -> None:
        """Count what waits. Many at a time: a counter's lock and its cold code cost a call more than all the rest."""
        ended, self._ended = self._ended, []
        for key, duration_s in ended:
            calls, duration = self._counters_of_call(key)
            calls.inc()
            duration.observe(duration_s)
        used, self._used = self._used, []
        for workload, model, usage, cost_nano_usd in used:
            counters = self._counters_of_usage(workload, model)
            counters.input.inc(usage.input_tokens or 0)
            counters.output.inc(usage.output_tokens or 0)
            if cost_nano_usd is None:
                counters.unpriced.inc()
            else:
                counters.cost.inc(cost_nano_usd / 1e9)
        tried, self._tried = self._tried, []
        for model, outcome in tried:
            self._counter_of_attempts(model, outcome).inc()

    def _counters_of_call(self, key: tuple[str, str, str, str]) -> tuple[Counter, Histogram]:
        pair = self._of_calls.get(key)
        if pair is None:
            pair = self._of_calls[key] = (self._calls.labels(*key), self._duration.labels(key[0], key[2]))
        return pair

    def _counters_of_usage(self, workload: str, model: str) -> "_UsageCounters":
        counters = self._of_usage.get((workload, model))
        if counters is None:
            counters = self._of_usage[workload, model] = _UsageCounters(
                input=self._tokens.labels(model, "input"),
                output=self._tokens.labels(model, "output"),
                cost=self._cost.labels(workload, model),
                unpriced=self._unpriced.labels(model),
            )
        return counters

    def _counter_of_attempts(self, model: str, outcome: str) -> Counter:
        counter = self._of_attempts.get((model, outcome))
        if counter is None:
            counter = self._of_attempts[model, outcome] = self._attempts.labels(model, outcome)
        return counter


class _UsageCounters(NamedTuple):
    input: Counter
    output: Counter
    cost: Counter
    unpriced: Counter
