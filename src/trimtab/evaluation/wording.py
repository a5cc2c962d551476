"""The words that a gate's reasons share."""

from trimtab.core import format_usd, from_nano_usd
from trimtab.evaluation.paired_result import PairedResult


def figures_of(result: PairedResult) -> str:
    """Return a result on one line: never a mean without its interval and n."""
    figures = (
        f"{result.candidate_mean:.3f} vs {result.baseline_mean:.3f}, "
        f"difference {result.difference:+.3f} [{result.lower:+.3f}, {result.upper:+.3f}], n = {result.n_pairs:,}"
    )
    if result.n_clusters < result.n_pairs:
        figures += f" in {result.n_clusters:,} clusters"
    if result.n_baseline_failed or result.n_candidate_failed:
        figures += f"; unanswered: {result.n_candidate_failed} vs {result.n_baseline_failed}"
    if result.n_baseline_ungraded or result.n_candidate_ungraded:
        figures += f"; not gradable: {result.n_candidate_ungraded} vs {result.n_baseline_ungraded}"
    return figures


def what_helps(result: PairedResult, n_needed: int | None, cost_nano_usd: int | None) -> str:
    """Return what would turn "nobody can tell" into an answer, with its price."""
    n_unseen = result.n_baseline_failed + result.n_baseline_ungraded
    if n_needed is None and n_unseen:
        what = "unanswered" if result.n_baseline_failed else "ungraded"
        return f"because {n_unseen:,} {what} cases of the baseline prove nothing; run it again"
    if n_needed is None:
        return "and its loss is too near to that for more cases to help"
    settled = f"which about {n_needed:,} cases would settle"
    if cost_nano_usd is None:
        return settled + " (price unknown)"
    return f"{settled} ({n_needed - result.n_pairs:,} more for {format_usd(from_nano_usd(cost_nano_usd))})"
