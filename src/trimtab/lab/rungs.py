"""The ladder's first rungs on the demo's evidence: measure, route, shrink, and what is missing after them.

A small and honest reading of one comparison. Verdicts are the design's words where the evidence earns them; what these
rungs cannot decide is said and left open.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from trimtab.evaluation import Comparison, GateOutcome, PairedResult, StratumVerdict, compare_runs, gate
from trimtab.evaluation import Run as EvaluationRun
from trimtab.routing import Estimate
from trimtab.stats import Interval, wilson_interval

MARGIN: Final = 0.02
"""Quality that may be lost, a fraction: two points, the default of the design."""
ALPHA: Final = 0.05
"""Chance that any workload at all is moved though it loses the margin; each claim gets an equal part of it."""

Verdict = Literal["SMALL_DEFAULT_SUFFICIENT", "INSUFFICIENT_EVIDENCE", "MEASURE_FIRST"]
GapState = Literal["met", "left", "open"]


class Rungs(msgspec.Struct, frozen=True, kw_only=True):
    """One workload's way up. All rates and differences are fractions of 1."""

    workload: str
    quality_bar: float
    n_pairs: int
    """Prompts that both models answered or failed to answer."""
    large: Estimate | None
    """Share of right answers of the large model, with Wilson's 95 % interval."""
    small: Estimate | None
    """The same of the small one, on the same prompts."""
    headroom: Estimate | None
    """Prompts that only the other model gets right: what a perfect router would win over the best single model."""
    shrink: StratumVerdict | None
    """The gate's word on the small model in the large one's place."""
    gap: Estimate | None
    """Quality bar less the share of the model that answers from now on, or of the better one where nothing moves; above
    0 something is missing."""
    gap_state: GapState | None
    """``met``: the whole interval lies at or below 0. ``left``: it lies above. ``open``: too few cases to say."""
    is_moved: bool
    """Whether the small model becomes the default: the gate passed."""
    verdict: Verdict | None
    """``SMALL_DEFAULT_SUFFICIENT`` takes the gate and a bar that is met. ``None``: these rungs do not decide."""
    next_step: str


def compare_claims(baseline: EvaluationRun, candidate: EvaluationRun, *, n_claims: int) -> Comparison:
    """Compare two runs with an alpha that holds over all the workloads that are gated one by one."""
    return compare_runs(baseline, candidate, margin=MARGIN, alpha=ALPHA / n_claims)


def climb(comparison: Comparison | None, quality_bars: Mapping[str, float]) -> list[Rungs]:
    """Return every workload's first rungs.

    Args:
        comparison: Small model against large one, its strata the workloads; ``None`` where nothing was compared.
        quality_bars: Of the workloads, in the order to report.
    """
    results = {} if comparison is None else {str(result.stratum): result for result in comparison.strata}
    return [
        _unmeasured(name, bar)
        if comparison is None or name not in results
        else climb_workload(results[name], gate(comparison, protected=[name]).strata[0], bar)
        for name, bar in quality_bars.items()
    ]


def climb_workload(result: PairedResult, shrink: StratumVerdict, quality_bar: float) -> Rungs:
    """Return one workload's first rungs from its pairs and the gate's word on them.

    Raises:
        ValueError: the answers were graded by degrees; these rungs count right ones.
    """
    counts = result.counts
    if counts is None:
        raise ValueError(f"workload {result.stratum!r} was graded by degrees, and these rungs count right answers")
    n, n_large, n_small = counts.n_pairs, counts.both + counts.baseline_only, counts.both + counts.candidate_only
    large, small = _rate(n_large, n), _rate(n_small, n)
    is_moved = shrink.outcome is GateOutcome.PASS
    gap = _less(quality_bar, small if is_moved else max(large, small, key=lambda estimate: estimate.mean))
    state = _gap_state(gap)
    return Rungs(
        workload=str(result.stratum),
        quality_bar=quality_bar,
        n_pairs=n,
        large=large,
        small=small,
        headroom=_rate(counts.both + counts.candidate_only + counts.baseline_only - max(n_large, n_small), n),
        shrink=shrink,
        gap=gap,
        gap_state=state,
        is_moved=is_moved,
        verdict=_verdict(shrink.outcome, state),
        next_step=_next_step(shrink, state),
    )


def _verdict(outcome: GateOutcome, state: GapState) -> Verdict | None:
    if outcome is GateOutcome.PASS and state == "met":
        return "SMALL_DEFAULT_SUFFICIENT"
    if outcome is GateOutcome.INSUFFICIENT_EVIDENCE and state != "left":  # which of two poor models is no question
        return "INSUFFICIENT_EVIDENCE"
    return None


def _next_step(shrink: StratumVerdict, state: GapState) -> str:
    if shrink.outcome is GateOutcome.PASS:
        return f"the small model becomes the default, the large one takes over where it fails{_AFTER_MOVE[state]}"
    if state == "left":
        return "stays on the large model; both are below the bar: a gap for a later rung, not decided here"
    if shrink.outcome is GateOutcome.FAIL:
        return "stays on the large model: the small one loses more than the margin"
    if shrink.n_needed is None:
        return "stays on the large model: the loss is too near to the margin for more cases to help"
    return f"stays on the large model: about {shrink.n_needed:,} cases would settle it"


_AFTER_MOVE: Final[Mapping[GapState, str]] = {
    "met": "",
    "left": "; a gap to the bar is left for a later rung, not decided here",
    "open": "; whether it reaches the bar takes more cases",
}


def _unmeasured(name: str, quality_bar: float) -> Rungs:
    return Rungs(
        workload=name,
        quality_bar=quality_bar,
        n_pairs=0,
        large=None,
        small=None,
        headroom=None,
        shrink=None,
        gap=None,
        gap_state=None,
        is_moved=False,
        verdict="MEASURE_FIRST",
        next_step="stays on the large model: no graded answer of it to compare with",
    )


def _rate(n_right: int, n: int) -> Estimate:
    return _estimate(n_right / n, wilson_interval(n_right, n), n)


def _less(bar: float, quality: Estimate) -> Estimate:
    return _estimate(bar - quality.mean, Interval(bar - quality.upper, bar - quality.lower), quality.n_samples)


def _estimate(mean: float, interval: Interval, n: int) -> Estimate:
    return Estimate(mean=mean, lower=interval.lower, upper=interval.upper, n_samples=n)


def _gap_state(gap: Estimate) -> GapState:
    if gap.upper <= 0:
        return "met"
    return "left" if gap.lower > 0 else "open"
