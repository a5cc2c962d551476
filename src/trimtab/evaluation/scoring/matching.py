"""Answers that must be the expected text: letter for letter, or but for what changes no meaning."""

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.scorer import TextScorer
from trimtab.evaluation.scoring.words import normalise


def _is_exact(case: Case, answer: str) -> float:
    return float(answer.strip() == case.expected.strip())


def _is_normalised(case: Case, answer: str) -> float:
    expected = normalise(case.expected)
    return float(normalise(answer) == expected) if expected else _is_exact(case, answer)


EXACT_MATCH = TextScorer(
    name="exact_match",
    meaning="1 when the answer equals the expected text, white space around it aside, otherwise 0; higher is better",
    grade=_is_exact,
)
NORMALISED_MATCH = TextScorer(
    name="normalised_match",
    meaning="1 when both are equal but for case, spacing, quotes and closing points, otherwise 0; higher is better",
    grade=_is_normalised,
)
