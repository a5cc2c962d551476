"""Grading in a run: the scorer of each case, and what becomes of one that gives no score."""

from collections.abc import Callable

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case, CaseResult, Scorer, ScorerSpec, ScorerUse, Suite, spec_key, use_of

FindScorer = Callable[[ScorerSpec], Scorer]
"""Returns the scorer of that name and options, or raises ``ConfigurationError``."""


class Grader:
    """The scorers of one suite, made once.

    Args:
        suite: Its plan names the usual scorer, its cases may name others.
        find: Makes scorers.
        instead: Grades every case whose own scorer the suite does not name.

    Raises:
        ConfigurationError: a scorer does not exist, or cannot have these options.
    """

    def __init__(self, suite: Suite, find: FindScorer, *, instead: ScorerSpec | None = None) -> None:
        self._own = find(instead or suite.plan.scorer)
        specs = {spec_key(case.scorer): case.scorer for case in suite.cases if case.scorer is not None}
        self._named = {key: find(spec) for key, spec in sorted(specs.items())}

    @property
    def uses(self) -> tuple[ScorerUse, ...]:
        """What a run writes down: the usual scorer first, then those that cases name."""
        uses = {use.label: use for use in map(use_of, (self._own, *self._named.values()))}
        return tuple(uses.values())

    async def grade(self, case: Case, result: CaseResult) -> CaseResult:
        """Return the result with the score of its answer.

        Raises:
            ConfigurationError: the scorer gave something that is no score, such as NaN.
        """
        assert result.answer is not None
        scorer = self._own if case.scorer is None else self._named[spec_key(case.scorer)]
        try:
            score = await scorer.score(case, result.answer.text)
        except ConfigurationError as exc:
            raise ConfigurationError(
                f"Scorer {use_of(scorer).label!r} cannot grade case {case.case_id!r}: {exc.message}",
                hint="Answers so far are kept. Correct the scorer and run again: nothing is asked twice.",
            ) from exc
        return msgspec.structs.replace(
            result, score=score.value, why=score.why, grading_cost_nano_usd=score.cost_nano_usd
        )
