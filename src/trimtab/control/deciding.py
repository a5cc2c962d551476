"""Decisions made at the desk, from the same parts as the gateway's."""

from collections.abc import Callable

from trimtab.catalog import Pool, PriceBook
from trimtab.core import CallRecord
from trimtab.gateway import Measurements
from trimtab.policy import Facts, Policy
from trimtab.replay import Measured
from trimtab.routing import Decision, Estimate, candidate_facts, decide
from trimtab.store import CallReader

LATENCY_SAMPLES = 512
"""Newest calls of each model that its latency is worked out from, as many as the gateway keeps."""

Measure = Callable[[str, str], Measured]


def measure_with(reader: CallReader, quality: Callable[[str, str], Estimate | None]) -> Measure:
    """Return what is known of ``(workload, model)``: graded quality there, and latency over all its newest calls."""
    measurements = Measurements()
    for model, samples in reader.latency_samples(LATENCY_SAMPLES).items():
        for total_ms, ttft_ms, output_tokens in samples:
            measurements.observe(model, total_ms=total_ms, ttft_ms=ttft_ms, output_tokens=output_tokens)

    def measure(workload: str, model: str) -> Measured:
        speed = measurements.speed(model)
        return Measured(
            quality(workload, model),
            speed.ttft_p95_ms,
            speed.total_p95_ms,
            speed.output_tokens_per_s,
            speed.n_samples,
        )

    return measure


def decide_afresh(
    policy: Policy, facts: Facts, pool: Pool, prices: PriceBook, measure: Measure, at_us: int
) -> Decision:
    """Return what the gateway would decide, with every model available and every period budget open."""
    constraints = policy.resolve(facts, pool)
    candidates = [
        candidate_facts(
            pool.cards[name],
            facts,
            prices,
            at_us=at_us,
            max_output_tokens=constraints.max_output_tokens,
            max_choices=constraints.max_choices,
            **measure(facts.workload, name)._asdict(),
        )
        for name in constraints.allowed
    ]
    return decide(facts, constraints, candidates, pool)


def facts_of(call: CallRecord) -> Facts:
    """Return what a policy would have been told of a call that carries no decision, such as an imported one.

    What the log names as the model is what answered and no wish of the caller's, so the request counts as ``auto``.
    Token counts are rounded up to a power of two, as the gateway rounds them.
    """
    return Facts(
        api=call.api,
        app=call.app,
        workload=call.workload,
        workload_class=call.workload_class,
        task_type=call.task_type,
        sensitivity=call.sensitivity,
        n_tools=call.n_tools,
        is_stream=call.is_stream,
        input_tokens=rounded_up(call.usage.input_tokens or 0),
    )


def rounded_up(tokens: int) -> int:
    """Return the next power of two.

    >>> [rounded_up(n) for n in (0, 1, 2, 3, 1000, 1024)]
    [0, 1, 2, 4, 1024, 1024]
    """
    return 1 << (tokens - 1).bit_length() if tokens > 1 else tokens
