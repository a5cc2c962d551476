"""Scorers: what makes an answer right."""

from trimtab.evaluation.scoring.matching import EXACT_MATCH, NORMALISED_MATCH, SCORERS, normalise
from trimtab.evaluation.scoring.scorer import Score, Scorer, TextScorer

__all__ = [
    "EXACT_MATCH",
    "NORMALISED_MATCH",
    "SCORERS",
    "Score",
    "Scorer",
    "TextScorer",
    "normalise",
]
