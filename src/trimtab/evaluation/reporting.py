"""Everything that a comparison of runs says, as one record: for terminal, JSON and HTML alike."""

from collections.abc import Mapping, Sequence

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case
from trimtab.evaluation.comparing import Comparison, compare_runs
from trimtab.evaluation.disagreements import Disagreement, disagreements
from trimtab.evaluation.gating import NOBODY_ADMITTED
from trimtab.evaluation.judging.standing import Admissions
from trimtab.evaluation.quality import Profile, profile_of
from trimtab.evaluation.recommending import CandidateAdvice, recommend
from trimtab.evaluation.running import Run


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """One candidate against the baseline on one suite."""

    comparison: Comparison
    advice: CandidateAdvice
    disagreements: tuple[Disagreement, ...]
    """The 20 most informative ones."""


class ComparisonReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was found when candidates were compared with a baseline."""

    profiles: tuple[Profile, ...]
    """Of every run, baselines first."""
    contests: tuple[Contest, ...]
    """In the order of the candidates."""


def report_on(
    baselines: Sequence[Run],
    candidates: Sequence[Run],
    *,
    cases: Mapping[str, Mapping[str, Case]] | None = None,
    traffic: Mapping[str, float] | None = None,
    bootstrap: bool = False,
    power: float = 0.8,
    admissions: Admissions = NOBODY_ADMITTED,
) -> ComparisonReport:
    """Compare candidates with the baseline of their suite, all as one decision.

    Args:
        baselines: One for each suite.
        candidates: Their runs, each of a suite that has a baseline.
        cases: Cases by id, by digest of their suite, where the suites are at hand.
        traffic: As ``compare_runs``.
        bootstrap: As ``compare_runs``.
        power: As ``gate``.
        admissions: As ``gate``.

    Raises:
        ConfigurationError: two baselines are of one suite, a candidate has none or is its own, or runs cannot be
            compared.
    """
    by_suite: dict[str, Run] = {}
    for run in baselines:
        if run.suite_digest in by_suite:
            raise ConfigurationError(
                f"{by_suite[run.suite_digest].model!r} and {run.model!r} are both named as baseline of suite "
                f"{run.suite_name!r}.",
                hint="One run is the baseline of a suite; name the other as a candidate.",
            )
        by_suite[run.suite_digest] = run
    comparisons = [
        compare_runs(_baseline(run, by_suite), run, traffic=traffic, bootstrap=bootstrap) for run in candidates
    ]
    advice = recommend(comparisons, power=power, admissions=admissions)
    return ComparisonReport(
        profiles=tuple(map(profile_of, [*baselines, *candidates])),
        contests=tuple(
            Contest(
                comparison=comparison,
                advice=found,
                disagreements=disagreements(by_suite[run.suite_digest], run, cases=(cases or {}).get(run.suite_digest)),
            )
            for comparison, found, run in zip(comparisons, advice, candidates, strict=True)
        ),
    )


def _baseline(run: Run, by_suite: Mapping[str, Run]) -> Run:
    found = by_suite.get(run.suite_digest)
    if found is None:
        names = ", ".join(f"{one.suite_name!r} ({digest[:12]})" for digest, one in by_suite.items())
        raise ConfigurationError(
            f"The run of {run.model!r} is of suite {run.suite_name!r} ({run.suite_digest[:12]}), "
            f"and the baseline is of {names}.",
            hint="Run the baseline over the same suite too, or give its run of that suite with --baseline.",
        )
    if found is run or (run.run_id is not None and found.run_id == run.run_id):
        raise ConfigurationError(
            f"The run of {run.model!r} is compared with itself.", hint="Name another run as the candidate."
        )
    return found
