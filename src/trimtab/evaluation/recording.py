"""Recorded runs: answers and scores that exist already, from a log or a table, as runs over a suite."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from trimtab.evaluation.case import Option, ScorerSpec
from trimtab.evaluation.run_plan import ScorerUse
from trimtab.evaluation.running import Answer, CaseResult, Run
from trimtab.evaluation.scoring.registry import RECORDED
from trimtab.evaluation.suite import Suite


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one model once made of one case."""

    answer: Answer | None = None
    """``None`` when there was none."""
    score: float | None = None
    """As recorded, 0 to 1; ``None`` when nobody graded it."""
    why: str | None = None
    error: str | None = None
    """Why there was no answer."""


def recorded_scorer(by: str | None = None) -> ScorerSpec:
    """Return the scorer of recorded scores.

    Args:
        by: Who gave them, such as another tool's scorer; ``None`` where nobody knows.
    """
    return ScorerSpec(name=RECORDED, options={} if by is None else {"by": by})


def recorded_run(
    suite: Suite,
    outcomes: Mapping[str, Sequence[Outcome]],
    *,
    model: str,
    scorer: ScorerSpec,
    is_binary: bool,
    options: Mapping[str, Option],
    started_at_us: int,
) -> Run:
    """Return what a model once did with a suite as a run.

    Args:
        suite: The cases.
        outcomes: By case id, one for each repeated sample; every case must have one, and others are passed over.
        model: ``provider:model``.
        scorer: Who gave the scores.
        is_binary: Whether every score is 0 or 1; the same for all runs that are to be compared.
        options: What is known of the circumstances.
        started_at_us: When it was, Unix microseconds.
    """
    use = ScorerUse(spec=scorer, is_binary=is_binary)
    return Run(
        suite_name=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest,
        plan=suite.plan,
        model=model,
        scorer=use.label,
        scorers=(use,),
        is_binary=is_binary,
        options=options,
        started_at_us=started_at_us,
        results=tuple(
            CaseResult.of(
                case, sample=sample, answer=outcome.answer, score=outcome.score, why=outcome.why, error=outcome.error
            )
            for case in suite.cases
            for sample, outcome in enumerate(outcomes[case.case_id])
        ),
    )


def are_binary(outcomes: Iterable[Outcome]) -> bool:
    """Return whether every score is 0 or 1."""
    return all(outcome.score in (None, 0.0, 1.0) for outcome in outcomes)
