"""Scorers: what makes an answer right."""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from trimtab.evaluation.suite import Case

_SURROUNDING = " \t\n\r\"'`*_\u201c\u201d\u2018\u2019\u00ab\u00bb"
_ENDING = ".,;:!?" + _SURROUNDING


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """One way to grade an answer."""

    name: str
    """As runs record it."""
    meaning: str
    """What a score says, its range, and which direction is better."""
    grade: Callable[[Case, str], float]
    """Takes the case and the model's answer; both scorers of this module return 0.0 or 1.0."""


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


EXACT_MATCH = Scorer(
    name="exact_match",
    meaning="1 when the answer equals the expected text, white space around it aside, otherwise 0; higher is better",
    grade=_is_exact,
)
NORMALISED_MATCH = Scorer(
    name="normalised_match",
    meaning="1 when both are equal but for case, spacing, quotes and closing points, otherwise 0; higher is better",
    grade=_is_normalised,
)
SCORERS: Mapping[str, Scorer] = MappingProxyType({scorer.name: scorer for scorer in (EXACT_MATCH, NORMALISED_MATCH)})
"""By name."""
