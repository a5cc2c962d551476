"""A suite's mix of strata beside that of the real traffic, and the headline that traffic would see."""

import math
from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.paired_result import PairedResult
from trimtab.stats import MeanInterval
from trimtab.stats.stratified import poststratified_mean

MATERIAL_DISTANCE = 0.10
"""Total variation distance above which a suite's mix is another than its traffic's (requirement S14)."""
TrafficSource = Literal["plan", "measured"]


class Mix(msgspec.Struct, frozen=True, kw_only=True):
    """How the suite's cases and the traffic fall into strata. All shares are fractions."""

    source: TrafficSource
    """``plan``: the suite says so, fixed before its runs. ``measured``: counted afterwards, such as in the journal."""
    suite: Mapping[str, float]
    traffic: Mapping[str, float]
    distance: float
    """Total variation: the share of the cases that would have to be of another stratum; 0 to 1."""
    is_off: bool
    """Whether the distance is above 0.10, so that a plain average over the suite misleads."""
    covered_share: float
    """Of the traffic, in strata that have a case."""


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """Candidate against baseline as the traffic would see them: strata weighted by its shares.

    For reading: no gate decides by it, since an average hides a stratum.
    """

    baseline_mean: float
    candidate_mean: float
    difference: float
    """Candidate less baseline, a fraction, with bounds of the comparison's confidence."""
    lower: float
    upper: float
    standard_error: float | None
    """``sqrt(sum(share**2 * error**2))``; ``None`` when a stratum's error is unknown. The bounds do not rest on it."""
    n_pairs: int
    covered_share: float
    """Of the traffic that it speaks of, a fraction; the rest has no case."""


def traffic_shares(counts: Mapping[str, float]) -> dict[str, float]:
    """Return the shares of strata from counts, or from shares that people rounded.

    Raises:
        ConfigurationError: a count is negative or not a number, or all are 0.
    """
    total = math.fsum(counts.values())
    if not all(0 <= count < math.inf for count in counts.values()) or not total > 0:
        raise ConfigurationError(
            f"Traffic of {dict(counts)} is none: counts of strata are 0 or more, and not all 0.",
            hint="Count the calls of each stratum.",
        )
    return {stratum: count / total for stratum, count in sorted(counts.items())}


def mix_of(counts: Mapping[str, int], traffic: Mapping[str, float], *, source: TrafficSource) -> Mix:
    """Set a suite's cases, counted by stratum, beside the traffic."""
    suite, shares = traffic_shares(counts), traffic_shares(traffic)
    distance = math.fsum(abs(suite.get(name, 0) - shares.get(name, 0)) for name in suite.keys() | shares) / 2
    return Mix(
        source=source,
        suite=suite,
        traffic=shares,
        distance=distance,
        is_off=distance > MATERIAL_DISTANCE + 1e-12,  # 0.1 itself is no float
        covered_share=math.fsum(share for name, share in shares.items() if suite.get(name, 0) > 0),
    )


def headline_of(strata: Sequence[PairedResult], mix: Mix) -> Headline | None:
    """Weigh the strata by the traffic's shares; ``None`` when no stratum with traffic has a case.

    Source:
        See ``trimtab.stats.stratified``.
    """
    weighed = [(result, mix.traffic.get(str(result.stratum), 0.0)) for result in strata]
    weighed = [(result, share) for result, share in weighed if share > 0]
    if not weighed:
        return None
    results, weights = [result for result, _ in weighed], [share / mix.covered_share for _, share in weighed]
    found = poststratified_mean([MeanInterval(r.difference, r.lower, r.upper) for r in results], weights)
    errors = [result.standard_error for result in results]
    known = [error for error in errors if error is not None]
    pairs = list(zip(results, weights, strict=True))
    return Headline(
        baseline_mean=math.fsum(weight * result.baseline_mean for result, weight in pairs),
        candidate_mean=math.fsum(weight * result.candidate_mean for result, weight in pairs),
        difference=found.mean,
        lower=found.lower,
        upper=found.upper,
        standard_error=math.hypot(*(w * e for w, e in zip(weights, known, strict=True)))
        if len(known) == len(errors)
        else None,
        n_pairs=sum(result.n_pairs for result in results),
        covered_share=mix.covered_share,
    )
