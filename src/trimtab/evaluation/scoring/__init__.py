"""Scorers: what makes an answer right. ``scorer_for`` makes one of the name and options that a suite states."""

from trimtab.evaluation.scoring.composite import Composite
from trimtab.evaluation.scoring.embedding import Embed
from trimtab.evaluation.scoring.matching import EXACT_MATCH, NORMALISED_MATCH
from trimtab.evaluation.scoring.registry import KINDS, RECORDED, ScorerKind, scorer_for
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, Scorer, TextScorer
from trimtab.evaluation.scoring.words import normalise

__all__ = [
    "EXACT_MATCH",
    "KINDS",
    "NORMALISED_MATCH",
    "RECORDED",
    "Composite",
    "Embed",
    "RuleScorer",
    "Score",
    "Scorer",
    "ScorerKind",
    "TextScorer",
    "normalise",
    "scorer_for",
]
