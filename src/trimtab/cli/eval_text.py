"""Evaluations for the terminal: profiles, comparisons and gates as tables and lines."""

from collections.abc import Iterator, Sequence

from trimtab.cli import output
from trimtab.control.numbers import ms, percent, usd
from trimtab.evaluation import (
    CandidateAdvice,
    Comparative,
    Comparison,
    ComparisonReport,
    Contest,
    GateOutcome,
    GateVerdict,
    PairedResult,
    Profile,
    Quality,
    StratumVerdict,
)

VERDICTS = {
    GateOutcome.PASS: "good enough",
    GateOutcome.FAIL: "loses too much",
    GateOutcome.INSUFFICIENT_EVIDENCE: "too few cases",
}
TESTS = {
    "tango": "Tango's score test of right and wrong",
    "paired_t": "paired t of mean scores",
    "clustered_t": "paired t of mean scores, by whole clusters",
}


def print_profiles(profiles: Sequence[Profile]) -> None:
    """Write each model's quality by stratum, and what a case took."""
    rows = [(profile, quality) for profile in profiles for quality in (profile.overall, *profile.strata)]
    output.print_table(
        ["Model", "Stratum", "Quality", ">Unanswered", ">Ungraded", ">Cost a case", ">p50", ">p95"],
        [_profile_row(profile, quality) for profile, quality in rows],
    )


def _profile_row(profile: Profile, quality: Quality) -> list[output.Cell]:
    is_whole = quality.group is None
    return [
        profile.model if is_whole else "",
        quality.group or "all",
        quality_text(quality),
        quality.n_failed,
        quality.n_ungraded,
        cost_text(profile) if is_whole else "",
        ms(profile.latency_p50_ms) if is_whole else "",
        ms(profile.latency_p95_ms) if is_whole else "",
    ]


def quality_text(quality: Quality) -> str:
    """Return a mean score with its interval and n."""
    return f"{quality.mean:.3f} [{quality.lower:.3f}, {quality.upper:.3f}] (n = {quality.n_cases:,})"


def cost_text(profile: Profile) -> str:
    """Return what a case costs on average."""
    return usd(None if profile.cost_nano_usd is None else round(profile.cost_nano_usd))


def print_report(report: ComparisonReport) -> None:
    """Write what was found, one candidate after the other."""
    for place, contest in enumerate(report.contests):
        if place:
            output.print_line()
        print_contest(contest)


def print_contest(contest: Contest) -> None:
    """Write one candidate's comparison, stratum by stratum, and where it is good enough."""
    comparison, advice = contest.comparison, contest.advice
    output.print_line(f"{comparison.candidate.model} against {comparison.baseline.model}")
    output.print_line(terms_text(comparison))
    output.print_line()
    traffic = {} if comparison.mix is None else comparison.mix.traffic
    rows = [
        _stratum_row(result, traffic.get(verdict.stratum), verdict)
        for result, verdict in zip(comparison.strata, advice.strata, strict=True)
    ]
    output.print_table(
        ["Stratum", ">Cases", ">Traffic", ">Baseline", ">Candidate", "Difference", ">Differ", ">p", "Verdict"],
        [*rows, *_whole_rows(comparison)],
    )
    output.print_line()
    for line in conclusions(comparison, advice):
        output.print_line(line)
    for line in warnings(comparison):
        output.note(line)


def terms_text(comparison: Comparison) -> str:
    """Return suite, margin and test on one line."""
    origin = "fixed in the suite" if comparison.is_planned else "not the suite's plan"
    return (
        f"suite {comparison.suite_name} ({comparison.suite_digest[:12]}), scorer {comparison.scorer}; "
        f"margin {comparison.margin:.1%}, alpha {comparison.alpha:g}, {origin}; {TESTS[comparison.overall.test]}"
    )


def _stratum_row(result: PairedResult, share: float | None, verdict: StratumVerdict) -> list[output.Cell]:
    return [
        verdict.stratum,
        result.n_pairs,
        percent(share),
        f"{result.baseline_mean:.3f}",
        f"{result.candidate_mean:.3f}",
        difference_text(result.difference, result.lower, result.upper),
        percent(result.discordance),
        "-" if verdict.p_pass is None else p_text(verdict.p_pass),
        VERDICTS[verdict.outcome],
    ]


def _whole_rows(comparison: Comparison) -> Iterator[list[output.Cell]]:
    whole, headline = comparison.overall, comparison.headline
    means = [f"{whole.baseline_mean:.3f}", f"{whole.candidate_mean:.3f}"]
    interval = difference_text(whole.difference, whole.lower, whole.upper)
    yield ["all, the suite's mix", whole.n_pairs, "-", *means, interval, percent(whole.discordance), "-", "-"]
    if headline is not None:
        means = [f"{headline.baseline_mean:.3f}", f"{headline.candidate_mean:.3f}"]
        interval = difference_text(headline.difference, headline.lower, headline.upper)
        yield ["all, as in traffic", headline.n_pairs, percent(headline.covered_share), *means, interval, "-", "-", "-"]


def difference_text(difference: float, lower: float, upper: float) -> str:
    """Return a difference with its interval, signs always shown."""
    return f"{difference:+.3f} [{lower:+.3f}, {upper:+.3f}]"


def p_text(p: float) -> str:
    """Return a p-value: three digits, and no false zero.

    >>> p_text(0.0421), p_text(0.00001)
    ('0.042', '<0.001')
    """
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def conclusions(comparison: Comparison, advice: CandidateAdvice) -> Iterator[str]:
    """Yield what follows: where it may be the default, where not, what is missing, the bill and the gate."""
    yield f"Default for: {_listed(advice.default_for)}"
    yield f"Not for: {_listed(advice.not_for)}"
    for verdict in advice.strata:
        if verdict.outcome is GateOutcome.INSUFFICIENT_EVIDENCE:
            yield f"Undecided: {verdict.stratum}: {verdict.reason}"
    ratios = comparison.ratios
    if ratios is not None:
        yield (
            f"Against the baseline: cost {ratio_text(ratios.cost)}, energy {ratio_text(ratios.energy)}, "
            f"time {ratio_text(ratios.latency)}"
        )
    yield gate_line(advice.gate)


def ratio_text(ratio: Comparative | None) -> str:
    """Return how many times as much the candidate takes.

    >>> ratio_text(Comparative(ratio=0.05, lower=0.04, upper=0.0625, n_pairs=1200)), ratio_text(None)
    ('0.0500 x [0.0400, 0.0625] (n = 1,200)', 'unknown')
    """
    if ratio is None:
        return "unknown"
    return f"{ratio.ratio:#.3g} x [{ratio.lower:#.3g}, {ratio.upper:#.3g}] (n = {ratio.n_pairs:,})"


def gate_line(verdict: GateVerdict) -> str:
    """Return the gate's answer for the whole suite on one line."""
    words = {
        GateOutcome.PASS: "PASS, it may take the baseline's place",
        GateOutcome.FAIL: f"FAIL, vetoed by {_listed([s.stratum for s in verdict.strata if s.outcome == 'fail'])}",
        GateOutcome.INSUFFICIENT_EVIDENCE: "INSUFFICIENT_EVIDENCE, it may not serve everywhere yet",
    }
    return f"Gate: {words[verdict.outcome]}"


def warnings(comparison: Comparison) -> Iterator[str]:
    """Yield what a reader should know before believing the figures."""
    mix = comparison.mix
    if mix is None:
        yield "The suite's plan names no traffic, so nobody knows whether its mix of cases is that of the calls."
    elif mix.is_off:
        yield (
            f"warning: the suite's mix of strata is {mix.distance:.2f} away from the traffic's (total variation; more "
            "than 0.10). Read the strata, and the line that is weighted to traffic."
        )
    if mix is not None and mix.covered_share < 1 - 1e-9:
        yield f"warning: {percent(1 - mix.covered_share)} of the traffic is in strata without a case."
    if not comparison.is_planned:
        yield "warning: margin or alpha are not those of the suite's plan; a margin set after the runs proves nothing."


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"
