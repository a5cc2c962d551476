"""What a scorer is: it reads a case and an answer and says how right the answer is, and what that number means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Case, ScorerSpec


class Score(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a scorer found.

    Raises:
        ConfigurationError: the value is not a number within 0 and 1. One such score would spoil every mean it enters.
    """

    value: float | None
    """0 to 1, higher is better; ``None`` when it could not tell, which is neither right nor wrong."""
    why: str | None = None
    """What a person should know about the number, such as the failed test or the judge's reason."""
    cost_nano_usd: int | None = None
    """What the grading itself cost; ``None`` when nothing was asked, or when the price is unknown."""

    def __post_init__(self) -> None:
        if self.value is not None and not 0 <= self.value <= 1:
            raise ConfigurationError(
                f"A scorer gave {self.value!r}; a score is a number from 0 to 1, or none.",
                hint="The scorer is at fault, not the answer: choose another one, or report this.",
            )


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
    """A scorer that is a plain function of case and answer to a number, without options."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleScorer:
    """A scorer that is a plain function with options, and says why."""

    spec: ScorerSpec
    meaning: str
    """What a score says, its range, and which direction is better."""
    rule: Callable[[Case, str], Score]
    """Takes the case and the model's answer."""
    is_binary: bool
    version: int = 1

    async def score(self, case: Case, answer: str) -> Score:
        """Grade one answer."""
        return self.rule(case, answer)


def right_if(is_right: bool, why_not: str) -> Score:
    """Return 1, or 0 with the reason."""
    return Score(value=1.0) if is_right else Score(value=0.0, why=why_not)


def ungraded(why: str) -> Score:
    """Return the score of a case that this scorer cannot read."""
    return Score(value=None, why=why)
