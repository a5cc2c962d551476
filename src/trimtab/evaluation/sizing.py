"""Sizes: how many cases each stratum of a suite has, and how many its plan would take."""

import math
from collections import Counter

import msgspec

from trimtab.evaluation.paired_result import PairedResult
from trimtab.evaluation.suite import Suite
from trimtab.stats.power import cases_for_noninferiority, noninferiority_power, pairs_for_noninferiority


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

    For graded scores the number is an upper bound: the square of a difference of at most 1 is on average at most the
    share of cases that differ.

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


def pairs_to_settle(result: PairedResult, *, margin: float, alpha: float, power: float) -> int | None:
    """Return how many cases would probably prove a candidate non-inferior; ``None`` when more would not help.

    Plans for the loss that was seen, though for half the margin at most: what truly loses the margin is never proven.
    Few cases show less discordance than there is, so at least the margin is planned for; without any disagreement
    Tango's test itself needs ``z**2 * (1 - margin) / margin`` cases, and scores of degrees as many as would show one
    total loss in ``1 / margin`` cases.
    """
    loss = min(max(-result.difference, 0.0), margin / 2)
    if result.test == "tango":
        discordance = max(result.discordance, margin)
        n = pairs_for_noninferiority(discordance=discordance, margin=margin, difference=-loss, alpha=alpha, power=power)
    else:
        error = result.standard_error
        variance = max(result.discordance, margin) if error is None else error**2 * result.n_pairs
        n = cases_for_noninferiority(variance=variance, margin=margin, difference=-loss, alpha=alpha, power=power)
        n_clusters = math.ceil(math.log(alpha) / math.log1p(-margin))
        n = max(n, math.ceil(n_clusters * result.n_pairs / result.n_clusters))
    return n if n > result.n_pairs else None
