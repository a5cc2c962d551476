"""Several scorers as one: their weighted mean, or all of them or nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from trimtab.evaluation.case import Case, ScorerSpec
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import Score, Scorer

_MOST = 20


class CompositeOptions(Options, frozen=True, kw_only=True):
    """Options of ``composite``."""

    scorers: tuple[str | ScorerSpec, ...]
    """The parts, 1 to 20: names, or names with options."""
    combine: Literal["mean", "all"] = "mean"
    """Their weighted mean, or 1 where each of them reaches ``bar`` and 0 otherwise."""
    weights: tuple[float, ...] = ()
    """One for each part, not negative and not all 0; none for equal ones. Only for ``mean``."""
    bar: float = 1.0
    """What each part must reach, above 0 and up to 1. Only for ``all``."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.scorers) <= _MOST:
            raise ValueError(f"scorers are 1 to {_MOST}")
        is_weighed = len(self.weights) == len(self.scorers) and all(0 <= weight < 1e9 for weight in self.weights)
        if self.weights and not (is_weighed and sum(self.weights) > 0 and self.combine == "mean"):
            raise ValueError("weights are one for each scorer, not negative, not all 0, and for mean only")
        if not 0 < self.bar <= 1 or (self.bar != 1 and self.combine == "mean"):
            raise ValueError("bar is above 0 and at most 1, and for all only")


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """Grades by several scorers at once."""

    options: CompositeOptions
    parts: tuple[Scorer, ...]

    @property
    def spec(self) -> ScorerSpec:
        """Name and options, each part as its own spec."""
        parts = tuple(part.spec.name if not part.spec.options else part.spec for part in self.parts)
        given = spec_of("composite", self.options).options
        return ScorerSpec(name="composite", options={**given, "scorers": parts})

    @property
    def version(self) -> int:
        """Grows with the version of any part."""
        return 1 + sum(part.version - 1 for part in self.parts)

    @property
    def is_binary(self) -> bool:
        """Whether it is all or nothing."""
        return self.options.combine == "all" or (len(self.parts) == 1 and self.parts[0].is_binary)

    @property
    def meaning(self) -> str:
        """What a score says."""
        names = ", ".join(part.spec.name for part in self.parts)
        if self.options.combine == "all":
            return f"1 when each of {names} gives {self.options.bar:g} or more, otherwise 0; higher is better"
        if self.is_binary:
            return self.parts[0].meaning
        weights = (
            f" weighed {', '.join(f'{weight:g}' for weight in self.options.weights)}" if self.options.weights else ""
        )
        return f"mean of {names}{weights}; 0 to 1, higher is better"

    async def score(self, case: Case, answer: str) -> Score:
        """Ask every part; where one cannot tell, neither can this, unless another has already failed all of it."""
        found = await asyncio.gather(*(part.score(case, answer) for part in self.parts))
        values = [score.value for score in found]
        costs = [score.cost_nano_usd for score in found if score.cost_nano_usd is not None]
        return Score(value=self._combined(values), why=self._why(found), cost_nano_usd=sum(costs) if costs else None)

    def _combined(self, values: list[float | None]) -> float | None:
        if self.options.combine == "all" and any(value is not None and value < self.options.bar for value in values):
            return 0.0
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        if self.options.combine == "all":
            return 1.0
        weights = self.options.weights or (1.0,) * len(known)
        mean = sum(weight * value for weight, value in zip(weights, known, strict=True)) / sum(weights)
        return min(1.0, mean)

    def _why(self, found: list[Score]) -> str:
        shown = zip(self.parts, found, strict=True)
        return "; ".join(
            f"{part.spec.name} {'none' if score.value is None else format(score.value, '.3g')}"
            + (f" ({score.why})" if score.why else "")
            for part, score in shown
        )


def composite(options: CompositeOptions, make: Callable[[ScorerSpec], Scorer]) -> Composite:
    """Return the scorer of these parts.

    Args:
        options: The parts and how they are combined.
        make: Builds a part of its spec.

    Raises:
        ConfigurationError: a part cannot be built.
    """
    return Composite(options=options, parts=tuple(map(make, part_specs(options))))


def part_specs(options: CompositeOptions) -> tuple[ScorerSpec, ...]:
    """Return the parts, each as a spec."""
    return tuple(ScorerSpec(name=part) if isinstance(part, str) else part for part in options.scorers)
