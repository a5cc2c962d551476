"""Corrected quality: many judged answers and few that people labelled, as one estimate that a judge cannot bias."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.judging.labels import Label, item_of
from trimtab.evaluation.running import CaseResult, Run
from trimtab.stats import Moments, mean_interval

if TYPE_CHECKING:
    from trimtab.stats.prediction_powered import CorrectedMean

LEAST_LABELS = 2


class Corrected(msgspec.Struct, frozen=True, kw_only=True):
    """A quality, or a difference of two, as the judge has it and as it is; fractions, candidate less baseline."""

    judged: float
    """Mean of the judge's scores over all cases; a score that is missing because it could not be read counts as 0."""
    judged_lower: float
    judged_upper: float
    mean: float
    """Corrected by the labels. Unbiased however bad the judge is, if the labelled cases are a random part."""
    lower: float
    upper: float
    confidence: float
    weight: float
    """How far the judge was trusted: 0 leaves the labels alone."""
    n_labelled: int
    """Cases with every label that is needed."""
    n_unlabelled: int
    n_left_out: int
    """Cases without an answer; of those nothing is judged, and nothing is said here."""


class _Graded(NamedTuple):
    """One case: what the judge said and what people said; ``None`` where nobody has."""

    judged: float
    truth: float | None


def corrected_quality(run: Run, labels: Iterable[Label], *, confidence: float = 0.95) -> Corrected:
    """Estimate the share of good answers of a judged run. Of repeated samples the first counts.

    Args:
        run: Graded by a judge.
        labels: What people said of some of its answers, chosen at random.
        confidence: Two-sided coverage.

    Raises:
        ConfigurationError: there are fewer than two labels of its answers, or the extra ``stats`` is missing.

    Source:
        PPI++, see ``trimtab.stats.prediction_powered``.
    """
    truths = {label.item: float(label.is_good) for label in labels}
    answered = [_graded(result, truths) for result in _first_samples(run).values() if result.answer is not None]
    return _corrected(answered, _n_cases(run) - len(answered), confidence)


def corrected_difference(
    candidate: Run, baseline: Run, labels: Iterable[Label], *, confidence: float = 0.95
) -> Corrected:
    """Estimate the difference of two judged runs, case by case. Of repeated samples the first counts.

    Args:
        candidate: Graded by a judge.
        baseline: Graded by the same one, on the same suite.
        labels: What people said of both answers to some cases, chosen at random.
        confidence: Two-sided coverage.

    Raises:
        ConfigurationError: the runs are of different suites or judges, fewer than two cases have both labels, or the
            extra ``stats`` is missing.

    Source:
        PPI++, see ``trimtab.stats.prediction_powered``.
    """
    for what in ("suite_digest", "scorer"):
        ours, theirs = getattr(candidate, what), getattr(baseline, what)
        if ours != theirs:
            raise ConfigurationError(
                f"Runs of {candidate.model!r} and {baseline.model!r} cannot be paired: {what} {ours!r} and {theirs!r}.",
                hint="Run both over the same suite with the same judge.",
            )
    truths = {label.item: float(label.is_good) for label in labels}
    theirs_by_case = _first_samples(baseline)
    pairs = [
        _difference(_graded(ours, truths), _graded(theirs_by_case[case_id], truths))
        for case_id, ours in _first_samples(candidate).items()
        if case_id in theirs_by_case and ours.answer is not None and theirs_by_case[case_id].answer is not None
    ]
    return _corrected(pairs, _n_cases(candidate) - len(pairs), confidence)


def _first_samples(run: Run) -> dict[str, CaseResult]:
    found: dict[str, CaseResult] = {}
    for result in run.results:
        found.setdefault(result.case_id, result)
    return found


def _n_cases(run: Run) -> int:
    return len({result.case_id for result in run.results})


def _graded(result: CaseResult, truths: dict[str, float]) -> _Graded:
    text = "" if result.answer is None else result.answer.text
    return _Graded(result.score or 0.0, truths.get(item_of(result.case_id, text)))


def _difference(ours: _Graded, theirs: _Graded) -> _Graded:
    truth = None if ours.truth is None or theirs.truth is None else ours.truth - theirs.truth
    return _Graded(ours.judged - theirs.judged, truth)


def _corrected(graded: Sequence[_Graded], n_left_out: int, confidence: float) -> Corrected:
    labelled = [one for one in graded if one.truth is not None]
    others = [one for one in graded if one.truth is None]
    if len(labelled) < LEAST_LABELS:
        raise ConfigurationError(
            f"{len(labelled)} labelled cases correct nothing.",
            hint="`trimtab eval judge label` shows answers and takes y or n; 30 labels or more make a usable interval.",
        )
    found = _estimate(labelled, others, confidence)
    sample = Moments(one.judged for one in graded)
    naive = mean_interval(sample, confidence=confidence)
    assert naive is not None  # two labels are two cases
    return Corrected(
        judged=sample.mean,
        judged_lower=naive.lower,
        judged_upper=naive.upper,
        mean=found.mean,
        lower=found.lower,
        upper=found.upper,
        confidence=confidence,
        weight=found.weight,
        n_labelled=len(labelled),
        n_unlabelled=len(others),
        n_left_out=n_left_out,
    )


def _estimate(labelled: Sequence[_Graded], others: Sequence[_Graded], confidence: float) -> "CorrectedMean":
    try:
        from trimtab.stats.prediction_powered import corrected_mean
    except ImportError as exc:
        raise ConfigurationError(
            "Correcting a judge needs numpy, which is not installed.", hint="pip install 'trimtab[stats]'"
        ) from exc
    truth = [one.truth for one in labelled if one.truth is not None]
    judged = [one.judged for one in labelled]
    if len(others) < LEAST_LABELS:  # everything is labelled: the labels are the answer, and the judge adds nothing
        return corrected_mean(truth, judged, judged, weight=0.0, confidence=confidence)
    return corrected_mean(truth, judged, [one.judged for one in others], confidence=confidence)
