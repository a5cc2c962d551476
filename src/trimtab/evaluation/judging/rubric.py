"""Rubrics: by which criteria a judge rates an answer, on which scale, and from which rating on it is good."""

import hashlib

import msgspec

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.scoring.options import Options, read_options, spec_of

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


class JudgeOptions(Options, frozen=True, kw_only=True):
    """What a suite says of its judge: who, and by which rubric (see ``Rubric``)."""

    model: str
    """``provider:model`` of the pool, or an alias."""
    criteria: tuple[str, ...]
    lowest: int = 1
    highest: int = 5
    pass_mark: int = 4

    @property
    def rubric(self) -> Rubric:
        """The rubric.

        Raises:
            ConfigurationError: the options make none.
        """
        return Rubric(criteria=self.criteria, lowest=self.lowest, highest=self.highest, pass_mark=self.pass_mark)


def judge_options(spec: ScorerSpec) -> JudgeOptions:
    """Return model and rubric of a judge's options.

    Raises:
        ConfigurationError: an option is unknown, missing, of another kind, or no model is named.
    """
    options = read_options(spec, JudgeOptions)
    if not options.model.strip():
        raise ConfigurationError(
            f"Scorer {spec.name!r} names no model to judge by.", hint='Add "model": "provider:model" to its options.'
        )
    return options


def judge_spec(name: str, model: str, rubric: Rubric) -> ScorerSpec:
    """Return the spec that makes a judge again."""
    return spec_of(
        name,
        JudgeOptions(
            model=model,
            criteria=rubric.criteria,
            lowest=rubric.lowest,
            highest=rubric.highest,
            pass_mark=rubric.pass_mark,
        ),
    )
