"""Rubrics: by which criteria a judge rates an answer, on which scale, and from which rating on it is good."""

import hashlib
from typing import Any

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import Option, ScorerSpec

MOST_RATINGS = 11
"""A judge does not tell more grades apart; 0 to 10 are eleven."""


class Rubric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes an answer good, in words and as a scale.

    Raises:
        ConfigurationError: it asks for nothing, or its scale has no rating that fails or none that passes.
    """

    criteria: tuple[str, ...]
    """What the answer must do, one demand each, as a person would be told."""
    lowest: int = 1
    """The worst rating."""
    highest: int = 5
    """The best rating."""
    pass_mark: int = 4
    """The first rating that counts as good."""

    def __post_init__(self) -> None:
        if not self.criteria or not all(one.strip() for one in self.criteria):
            raise ConfigurationError(
                "A rubric without criteria judges nothing.",
                hint='For example "criteria": ["States the refund period."].',
            )
        if not self.lowest < self.pass_mark <= self.highest or self.highest - self.lowest >= MOST_RATINGS:
            raise ConfigurationError(
                f"The rubric's scale {self.lowest} to {self.highest} with pass mark {self.pass_mark} cannot be used.",
                hint=f"At most {MOST_RATINGS} ratings, the pass mark above the lowest and not above the highest.",
            )

    @property
    def digest(self) -> str:
        """Sha256 over all of it, first 16 hexadecimal digits: another rubric makes another judge."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]

    @property
    def ratings(self) -> range:
        """All ratings, worst first."""
        return range(self.lowest, self.highest + 1)

    @property
    def options(self) -> dict[str, Option]:
        """The rubric as a scorer's options."""
        return {
            "criteria": self.criteria,
            "lowest": self.lowest,
            "highest": self.highest,
            "pass_mark": self.pass_mark,
        }


class JudgeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a suite says of its judge."""

    model: str
    """``provider:model`` of the pool, or an alias."""
    rubric: Rubric


def judge_options(spec: ScorerSpec) -> JudgeOptions:
    """Return model and rubric of a judge's options.

    Raises:
        ConfigurationError: an option is unknown, missing, of another kind, or makes no rubric.
    """
    rest: dict[str, Any] = dict(spec.options)  # Any: what somebody wrote, before it is checked
    model = rest.pop("model", None)
    if not isinstance(model, str) or not model.strip():
        raise ConfigurationError(
            f"Scorer {spec.name!r} names no model to judge by.", hint='Add "model": "provider:model" to its options.'
        )
    if isinstance(rest.get("criteria"), str):
        rest["criteria"] = (rest["criteria"],)
    try:
        return JudgeOptions(model=model, rubric=msgspec.convert(rest, Rubric))
    except msgspec.ValidationError as exc:
        raise ConfigurationError(
            f"Scorer {spec.name!r} has options that make no rubric: {exc}.",
            hint="It takes model, criteria, lowest, highest and pass_mark.",
        ) from exc
