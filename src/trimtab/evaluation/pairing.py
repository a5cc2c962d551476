"""Pairs: what two runs of one suite made of each case, its repeated samples averaged."""

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import NamedTuple, TypeVar

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.judging.standing import judges_of
from trimtab.evaluation.running import CaseResult, Run

_Amount = TypeVar("_Amount", int, float)


class Side(NamedTuple):
    """One model on one case. Scores are means over its samples, 0 to 1."""

    score: float
    """A sample without an answer or without a grade counts as 0: whoever asked got nothing that is known to be good."""
    score_if_unseen: float
    """The same with 1 for both."""
    score_if_ungraded: float
    """With 1 for an answer that nobody could grade, and 0 for none."""
    n_samples: int
    n_failed: int
    """Samples without an answer."""
    n_ungraded: int
    """Answers that the scorer could not grade."""
    cost_nano_usd: int | None
    """Of all samples; ``None`` when the price of an answer is unknown."""
    grading_cost_nano_usd: int | None
    """Of grading them; ``None`` when it is unknown, 0 when nothing was asked."""
    energy_wh: float | None
    """Of all samples; ``None`` when that of an answer is unknown."""
    latency_ms: float | None
    """Mean over its answers; ``None`` without any, or when that of one is unknown."""


class CasePair(NamedTuple):
    """Both models on one case."""

    case_id: str
    stratum: str
    task_type: str
    cluster: str
    """Group that it stands or falls with; its own id where it stands alone."""
    baseline: Side
    candidate: Side


def pair_runs(baseline: Run, candidate: Run) -> list[CasePair]:
    """Pair two runs case by case, in the order of the baseline's cases.

    Raises:
        ConfigurationError: the runs are of different suites, plans, scorers or cases, a sample is there twice, or a
            score is impossible.
    """
    for what in ("suite_digest", "scorer", "plan"):
        ours, theirs = getattr(baseline, what), getattr(candidate, what)
        if ours != theirs:
            raise ConfigurationError(
                f"Runs of {baseline.model!r} and {candidate.model!r} cannot be paired: "
                f"their {what} is {ours!r} and {theirs!r}.",
                hint="Run both over the same suite with the same scorer.",
            )
    ours, theirs = sides_of(baseline), sides_of(candidate)
    if ours.keys() != theirs.keys():
        raise ConfigurationError(
            f"Runs of {baseline.model!r} and {candidate.model!r} do not have the same cases: "
            f"{len(ours)} and {len(theirs)}.",
            hint="One record is incomplete; run it again.",
        )
    first = {result.case_id: result for result in reversed(baseline.results)}
    return [_pair(first[case_id], side, theirs[case_id]) for case_id, side in ours.items()]


def sides_of(run: Run) -> dict[str, Side]:
    """Return what a run made of each case, by id and in its order.

    Raises:
        ConfigurationError: a sample is there twice, or a score is impossible.
    """
    samples: dict[str, list[CaseResult]] = {}
    for result in run.results:
        _require_possible(result, run)
        samples.setdefault(result.case_id, []).append(result)
    for case_id, found in samples.items():
        if len({result.sample for result in found}) < len(found):
            raise ConfigurationError(
                f"The run of {run.model!r} has case {case_id!r} twice.",
                hint="Repeated answers to a case need different values of `sample`.",
            )
    is_free = _is_graded_free(run)
    return {case_id: _side(found, is_graded_free=is_free) for case_id, found in samples.items()}


def _is_graded_free(run: Run) -> bool:
    """Whether grading asked nobody: then a missing cost is 0, and otherwise it is unknown."""
    return not judges_of(run.scorers) and all(result.grading_cost_nano_usd is None for result in run.results)


def by_group(pairs: Iterable[CasePair], name_of: Callable[[CasePair], str]) -> list[tuple[str, list[CasePair]]]:
    """Return the groups of pairs that share a name, by name."""
    return [(name, list(group)) for name, group in groupby(sorted(pairs, key=name_of), key=name_of)]


def stratum_of(pair: CasePair) -> str:
    """Return the pair's stratum."""
    return pair.stratum


def _pair(case: CaseResult, baseline: Side, candidate: Side) -> CasePair:
    # A case of its own must not meet a cluster that happens to be called like it.
    cluster = f"case {case.case_id}" if case.cluster is None else f"cluster {case.cluster}"
    return CasePair(case.case_id, case.stratum, case.task_type, cluster, baseline, candidate)


def _side(samples: Sequence[CaseResult], *, is_graded_free: bool) -> Side:
    answers = [sample.answer for sample in samples if sample.answer is not None]
    ungraded = sum(sample.answer is not None and sample.score is None for sample in samples)
    graded = math.fsum(sample.score or 0.0 for sample in samples)
    n, failed = len(samples), len(samples) - len(answers)
    latency_ms = _total([answer.latency_ms for answer in answers])
    grading = [sample.grading_cost_nano_usd for sample in samples if sample.answer is not None]
    return Side(
        score=graded / n,
        score_if_unseen=(graded + failed + ungraded) / n,
        score_if_ungraded=(graded + ungraded) / n,
        n_samples=n,
        n_failed=failed,
        n_ungraded=ungraded,
        cost_nano_usd=_total([answer.cost_nano_usd for answer in answers]),
        grading_cost_nano_usd=0 if is_graded_free else _total(grading),
        energy_wh=_total([answer.energy_wh for answer in answers]),
        latency_ms=latency_ms / len(answers) if latency_ms is not None and answers else None,
    )


def _total(amounts: Sequence[_Amount | None]) -> _Amount | None:
    """Add up; what lacks one part has no total, and what has no part neither."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known[1:], start=known[0]) if known and len(known) == len(amounts) else None


def _require_possible(result: CaseResult, run: Run) -> None:
    score = result.score
    if score is None:
        return
    if not 0 <= score <= 1:  # not a number compares as false
        raise ConfigurationError(
            f"Case {result.case_id!r} in the run of {run.model!r} has score {score}, which is not between 0 and 1.",
            hint=f"Correct the scorer {run.scorer!r}; what it cannot grade has no score.",
        )
    if run.is_binary and score not in (0.0, 1.0):
        raise ConfigurationError(
            f"Case {result.case_id!r} in the run of {run.model!r} has score {score}, "
            f"and scorer {run.scorer!r} promised 0 (wrong) or 1 (right).",
            hint="A scorer of degrees says that it is not binary.",
        )
    if result.answer is None:
        raise ConfigurationError(
            f"Case {result.case_id!r} in the run of {run.model!r} has score {score} and no answer.",
            hint="The record is damaged; run it again.",
        )
