"""A decision outside the gateway: in a simulation, for a question at the desk, in a program of one's own."""

from collections.abc import Callable
from typing import NamedTuple

from trimtab.catalog import Pool, PriceBook
from trimtab.policy import Constraints, Facts
from trimtab.routing.candidates import candidate_facts
from trimtab.routing.decide import decide
from trimtab.routing.decision import Decision, Estimate


class Measured(NamedTuple):
    """What is known of a model on a workload; see :func:`candidate_facts`."""

    quality: Estimate | None = None
    ttft_p95_ms: float | None = None
    total_p95_ms: float | None = None
    output_tokens_per_s: float | None = None
    n_latency: int = 0
    probe_day: str | None = None


Measure = Callable[[str, str], Measured]
"""What is known of ``(workload, "provider:model")``."""

NOTHING_MEASURED = Measured()


def decide_afresh(
    facts: Facts,
    constraints: Constraints,
    pool: Pool,
    prices: PriceBook,
    *,
    at_us: int,
    measure: Measure = lambda workload, model: NOTHING_MEASURED,
) -> Decision:
    """Return what the gateway would decide, with every model available and every period budget open.

    Args:
        facts: The call.
        constraints: Policy's word on it, from ``policy.resolve(facts, pool)``.
        pool: The models.
        prices: Their prices.
        at_us: The instant that dates the prices, Unix microseconds.
        measure: Evidence to decide with.
    """
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
