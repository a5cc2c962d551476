"""What a scorer is: it reads a case and an answer and says how right the answer is, and what that number means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from trimtab.evaluation.case import Case, ScorerSpec


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scorer found."""

    value: float | None
    """Within the scorer's range; ``None`` when it could not tell, which is neither right nor wrong."""
    why: str | None = None
    """What a person should know about the number, such as the failed test or the judge's reason."""
    cost_nano_usd: int | None = None
    """What the grading itself cost; ``None`` when nothing was asked, or when the price is unknown."""


class Scorer(Protocol):
    """Grades answers. One shared test suite holds for all of them (``tests/support/scorer_suite.py``)."""

    @property
    def spec(self) -> ScorerSpec:
        """Name and options: all that the score depends on besides case and answer."""

    @property
    def version(self) -> int:
        """Grows when the same options would score the same answer otherwise."""

    @property
    def meaning(self) -> str:
        """What a score says, its range, and which direction is better."""

    @property
    def is_binary(self) -> bool:
        """Whether every score is 0 or 1. Comparisons use tests for rates then, and tests for means otherwise."""

    async def score(self, case: Case, answer: str) -> Score:
        """Grade one answer; higher is better, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScorer:
    """A scorer that is a plain function of case and answer."""

    name: str
    """As runs record it."""
    meaning: str
    """What a score says, its range, and which direction is better."""
    grade: Callable[[Case, str], float]
    """Takes the case and the model's answer."""
    is_binary: bool = True
    version: int = 1

    @property
    def spec(self) -> ScorerSpec:
        """Its name; there are no options."""
        return ScorerSpec(name=self.name)

    async def score(self, case: Case, answer: str) -> Score:
        """Grade one answer."""
        return Score(value=self.grade(case, answer))
