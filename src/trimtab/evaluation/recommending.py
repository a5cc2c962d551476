"""Where a candidate is good enough: stratum by stratum, over all candidates and workloads that were compared."""

from collections.abc import Sequence

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.comparing import Comparison, RunLabel
from trimtab.evaluation.gating import (
    NOBODY_ADMITTED,
    Claim,
    GateOutcome,
    GateVerdict,
    StratumVerdict,
    believed,
    gate_all,
    verdict_of,
)
from trimtab.evaluation.judging.standing import Admissions
from trimtab.stats.multiplicity import adjust_holm


class CandidateAdvice(msgspec.Struct, frozen=True, kw_only=True):
    """What one candidate may do on one suite."""

    candidate: RunLabel
    suite_name: str
    gate: GateVerdict
    """May it take the baseline's place everywhere? Any protected stratum can veto."""
    strata: tuple[StratumVerdict, ...]
    """May it become the default of that stratum alone? All strata, protected or not, by name; p-values are adjusted
    (Holm) over every stratum of every candidate and suite, so all that pass hold together."""
    default_for: tuple[str, ...]
    """Strata on which it is shown to lose less than the margin."""
    not_for: tuple[str, ...]
    """Strata on which it is shown to lose more; they stay on the baseline, whatever the average says."""
    undecided: tuple[str, ...]
    """Strata that take more cases; they stay on the baseline until then."""


def recommend(
    comparisons: Sequence[Comparison], *, power: float = 0.8, admissions: Admissions = NOBODY_ADMITTED
) -> tuple[CandidateAdvice, ...]:
    """Say of each candidate where it is good enough.

    A candidate that fails on hard cases only is recommended for the others, and one whose average passes is not
    recommended where it fails.

    Args:
        comparisons: One for each candidate and suite, at least one, all with the same alpha.
        power: Chance with which ``n_needed`` cases would prove it.
        admissions: Of the judges that graded, as for ``gate``.

    Returns:
        Advice in the same order.

    Raises:
        ConfigurationError: as ``gate_all``, or a candidate was compared twice on one suite.
    """
    keys = [(c.suite_digest, c.candidate.model, c.candidate.started_at_us) for c in comparisons]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigurationError(
                f"The run of {key[1]!r} is compared twice.",
                hint="Name each run once; repeats prove nothing.",
            )
    gates = gate_all(comparisons, power=power, admissions=admissions)
    results = [result for comparison in comparisons for result in comparison.strata]
    p_pass = iter(adjust_holm([result.p_noninferior for result in results]))
    p_fail = iter(adjust_holm([result.p_inferior for result in results]))
    found = []
    for comparison, verdict in zip(comparisons, gates, strict=True):
        claims = [Claim(comparison, result, next(p_pass), next(p_fail)) for result in comparison.strata]
        strata = tuple(verdict_of(claim, power=power, n_claims=len(results)) for claim in claims)
        found.append(_advice(comparison, verdict, believed(strata, verdict.judges)))
    return tuple(found)


def _advice(comparison: Comparison, verdict: GateVerdict, strata: tuple[StratumVerdict, ...]) -> CandidateAdvice:
    return CandidateAdvice(
        candidate=comparison.candidate,
        suite_name=comparison.suite_name,
        gate=verdict,
        strata=strata,
        default_for=_named(strata, GateOutcome.PASS),
        not_for=_named(strata, GateOutcome.FAIL),
        undecided=_named(strata, GateOutcome.INSUFFICIENT_EVIDENCE),
    )


def _named(strata: Sequence[StratumVerdict], outcome: GateOutcome) -> tuple[str, ...]:
    return tuple(verdict.stratum for verdict in strata if verdict.outcome is outcome)
