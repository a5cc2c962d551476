"""Scorers by name: a spec in, a scorer out. A scorer's packages are loaded when it is built."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.scoring.choosing import MultipleChoiceOptions, multiple_choice
from trimtab.evaluation.scoring.containing import ContainsOptions, RegexOptions, contains, regex
from trimtab.evaluation.scoring.fields import FieldF1Options, field_f1
from trimtab.evaluation.scoring.json_equal import JsonEqualOptions, json_equal
from trimtab.evaluation.scoring.json_schema import JsonSchemaOptions, json_schema
from trimtab.evaluation.scoring.matching import EXACT_MATCH, NORMALISED_MATCH
from trimtab.evaluation.scoring.numeric import NumericOptions, numeric
from trimtab.evaluation.scoring.options import NoOptions, Options, nearest, read_options
from trimtab.evaluation.scoring.overlap import (
    ChrfOptions,
    EditSimilarityOptions,
    RougeLOptions,
    TokenF1Options,
    chrf,
    edit_similarity,
    rouge_l,
    token_f1,
)
from trimtab.evaluation.scoring.scorer import Scorer

_Options = TypeVar("_Options", bound=Options)


@dataclass(frozen=True, slots=True)
class ScorerKind(Generic[_Options]):
    """One entry: which options there are, and how they become a scorer."""

    options: type[_Options]
    build: Callable[[_Options], Scorer]

    def made_of(self, spec: ScorerSpec) -> Scorer:
        """Return the scorer of a spec that names this kind."""
        return self.build(read_options(spec, self.options))


KINDS: Mapping[str, ScorerKind] = MappingProxyType(  # type: ignore[type-arg]  # each with options of its own
    {
        "exact_match": ScorerKind(NoOptions, lambda _: EXACT_MATCH),
        "normalised_match": ScorerKind(NoOptions, lambda _: NORMALISED_MATCH),
        "contains": ScorerKind(ContainsOptions, contains),
        "regex": ScorerKind(RegexOptions, regex),
        "multiple_choice": ScorerKind(MultipleChoiceOptions, multiple_choice),
        "numeric": ScorerKind(NumericOptions, numeric),
        "token_f1": ScorerKind(TokenF1Options, token_f1),
        "chrf": ScorerKind(ChrfOptions, chrf),
        "rouge_l": ScorerKind(RougeLOptions, rouge_l),
        "edit_similarity": ScorerKind(EditSimilarityOptions, edit_similarity),
        "json_equal": ScorerKind(JsonEqualOptions, json_equal),
        "json_schema": ScorerKind(JsonSchemaOptions, json_schema),
        "field_f1": ScorerKind(FieldF1Options, field_f1),
    }
)
"""By name, in the order of the reference page."""


JUDGES = ("judge", "pairwise_judge")
"""Scorers that ask a model; ``trimtab.evaluation.judging`` has them."""
BuildJudge = Callable[[ScorerSpec], Scorer]
"""Makes a judge of its spec: ``judging.judge_for`` with whoever knows the models."""


def scorer_for(spec: ScorerSpec, *, judges: BuildJudge | None = None) -> Scorer:
    """Return the scorer that a suite or a run names.

    Args:
        spec: Name and options; ``scorer_for(scorer.spec)`` gives a scorer's equal.
        judges: Makes those that ask a model; ``None`` where no model can be asked.

    Raises:
        ConfigurationError: no scorer has that name or such options, or a package or model that it needs is not there.
    """
    if spec.name in JUDGES:
        if judges is None:
            raise ConfigurationError(
                f"Scorer {spec.name!r} asks a model, and none can be asked here.",
                hint="`trimtab eval run` and `trimtab eval judge` can, with a configuration that serves it.",
            )
        return judges(spec)
    kind = KINDS.get(spec.name)
    if kind is None:
        raise ConfigurationError(
            f"No scorer is called {spec.name!r}.", hint=nearest(spec.name, (*KINDS, *JUDGES), what="There are")
        )
    return kind.made_of(spec)
