"""Cases that their scorers cannot grade whatever is answered, found before anything is asked."""

from collections.abc import Sequence

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case, ScorerSpec
from trimtab.evaluation.run_plan import spec_key
from trimtab.evaluation.scoring import Composite, Scorer, TextScorer, scorer_for
from trimtab.evaluation.scoring.registry import RECORDED
from trimtab.evaluation.suite import Suite

_ASKS = TextScorer(name="asks_a_model", meaning="", grade=lambda case, answer: 1.0)
"""In the place of scorers that ask a model: what they make of a case is not known without asking."""


async def unreadable_cases(suite: Suite) -> list[str]:
    """Return what is wrong with scorers and with what cases expect of them, a line each.

    A scorer that cannot read a case, such as ``numeric`` where no number is expected, gives every answer no score.
    Judges and embedding models are not asked.

    Args:
        suite: Its plan's scorer grades every case that names none.
    """
    named = {spec_key(spec): spec for spec in (suite.plan.scorer, *(case.scorer for case in suite.cases)) if spec}
    scorers: dict[str, Scorer] = {}
    problems = []
    for key, spec in named.items():
        try:
            scorers[key] = _made(spec)
        except ConfigurationError as exc:
            problems.append(exc.message.rstrip("."))
    for case in suite.cases:
        scorer = scorers.get(spec_key(case.scorer or suite.plan.scorer))
        why = None if scorer is None else await _why_unreadable(case, scorer)
        if why is not None:
            problems.append(f"case {case.case_id!r}: {why}")
    return problems


def _made(spec: ScorerSpec) -> Scorer:
    if spec.name == RECORDED:
        return _ASKS
    return scorer_for(spec, judges=lambda judge: _ASKS, embedders=lambda model: _embed_alike)


async def _embed_alike(texts: Sequence[str]) -> list[list[float]]:
    return [[1.0] for _ in texts]


async def _why_unreadable(case: Case, scorer: Scorer) -> str | None:
    """Return the reason. An empty answer shows it, and costs no run of any code."""
    if isinstance(scorer, Composite):
        found = [await _why_unreadable(case, part) for part in scorer.parts]
        return next((why for why in found if why is not None), None)
    score = await scorer.score(case, "")
    return (score.why or "it cannot be graded") if score.value is None else None
