"""Sizes: how many cases each stratum of a suite has, and how many its plan would take."""

from collections import Counter

import msgspec

from trimtab.evaluation.suite import Suite
from trimtab.stats.power import noninferiority_power, pairs_for_noninferiority


class StratumSize(msgspec.Struct, frozen=True, kw_only=True):
    """One stratum of a suite, measured by the plan."""

    stratum: str
    n_cases: int
    share: float
    """Of the suite's cases, a fraction."""
    traffic_share: float | None
    """Of the real traffic, a fraction; ``None`` where nobody measured it."""
    is_protected: bool
    """Whether it may veto."""
    n_needed: int
    """Cases that would prove an equally good candidate non-inferior with the given power."""
    power: float
    """Chance that the cases there are prove it, a fraction."""


def stratum_sizes(suite: Suite, *, discordance: float = 0.1, power: float = 0.8) -> tuple[StratumSize, ...]:
    """Return the strata by name, each with the cases that the plan's margin takes.

    Args:
        suite: The cases and their plan.
        discordance: Share of cases on which two models are expected to differ; a pilot tells.
        power: Chance of a yes that ``n_needed`` is planned for.

    Raises:
        ValueError: a share is not between 0 and 1.
    """
    plan, counts = suite.plan, Counter(case.stratum for case in suite.cases)
    n_needed = pairs_for_noninferiority(discordance=discordance, margin=plan.margin, alpha=plan.alpha, power=power)
    return tuple(
        StratumSize(
            stratum=stratum,
            n_cases=counts[stratum],
            share=counts[stratum] / len(suite.cases),
            traffic_share=None if plan.traffic is None else plan.traffic.get(stratum, 0.0),
            is_protected=plan.protected is None or stratum in plan.protected,
            n_needed=n_needed,
            power=noninferiority_power(counts[stratum], discordance=discordance, margin=plan.margin, alpha=plan.alpha),
        )
        for stratum in suite.strata
    )
