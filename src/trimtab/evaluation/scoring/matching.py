"""Answers that must be the expected text: letter for letter, or but for what changes no meaning."""

import unicodedata
from collections.abc import Mapping
from types import MappingProxyType

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.scorer import TextScorer

_SURROUNDING = " \t\n\r\"'`*_\u201c\u201d\u2018\u2019\u00ab\u00bb"
_ENDING = ".,;:!?" + _SURROUNDING


def normalise(text: str) -> str:
    r"""Return the text without what does not change an answer's meaning.

    Unicode forms that look alike become one (NFKC), case is folded, runs of white space become one space, and quotes,
    emphasis and closing punctuation around the whole answer go. Signs and points inside stay, unlike in SQuAD's
    normalisation, in which -5 equals 5 and 1.5 equals 15.

    >>> normalise(' "Paris". '), normalise("-1.5"), normalise("New\u00a0 York")
    ('paris', '-1.5', 'new york')
    """
    folded = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return folded.lstrip(_SURROUNDING).rstrip(_ENDING)


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
SCORERS: Mapping[str, TextScorer] = MappingProxyType(
    {scorer.name: scorer for scorer in (EXACT_MATCH, NORMALISED_MATCH)}
)
"""By name."""
