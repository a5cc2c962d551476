"""Scorers by name: a spec in, a scorer out. A scorer's packages are loaded when it is built."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Generic, TypeVar

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.scoring.choosing import MultipleChoiceOptions, multiple_choice
from trimtab.evaluation.scoring.composite import CompositeOptions, composite
from trimtab.evaluation.scoring.containing import ContainsOptions, RegexOptions, contains, regex
from trimtab.evaluation.scoring.embedding import BuildEmbed, EmbeddingSimilarityOptions, embedding_similarity
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
from trimtab.evaluation.scoring.python_tests import PythonTests, PythonTestsOptions
from trimtab.evaluation.scoring.scorer import Scorer

_Options = TypeVar("_Options", bound=Options)


RECORDED = "recorded"
"""The scorer of scores that came with the answers. It grades nothing itself."""
JUDGES = ("judge", "pairwise_judge")
"""Scorers that ask a model; ``trimtab.evaluation.judging`` has them."""
BuildJudge = Callable[[ScorerSpec], Scorer]
"""Makes a judge of its spec: ``judging.judge_for`` with whoever knows the models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What some scorers need besides their options."""

    judges: BuildJudge | None
    embedders: BuildEmbed | None
    texts: Sequence[str]

    def make(self, spec: ScorerSpec) -> Scorer:
        """Return another scorer."""
        return scorer_for(spec, judges=self.judges, embedders=self.embedders, texts=self.texts)


@dataclass(frozen=True, slots=True)
class ScorerKind(Generic[_Options]):
    """One entry: which options there are, and how they become a scorer."""

    options: type[_Options]
    build: Callable[[_Options, Around], Scorer]

    def made_of(self, spec: ScorerSpec, around: Around) -> Scorer:
        """Return the scorer of a spec that names this kind."""
        return self.build(read_options(spec, self.options), around)


def _plain(options: type[_Options], build: Callable[[_Options], Scorer]) -> ScorerKind[_Options]:
    return ScorerKind(options, lambda given, _: build(given))


KINDS: Mapping[str, ScorerKind] = MappingProxyType(  # type: ignore[type-arg]  # each with options of its own
    {
        "exact_match": _plain(NoOptions, lambda _: EXACT_MATCH),
        "normalised_match": _plain(NoOptions, lambda _: NORMALISED_MATCH),
        "contains": _plain(ContainsOptions, contains),
        "regex": _plain(RegexOptions, regex),
        "multiple_choice": _plain(MultipleChoiceOptions, multiple_choice),
        "numeric": _plain(NumericOptions, numeric),
        "token_f1": _plain(TokenF1Options, token_f1),
        "chrf": _plain(ChrfOptions, chrf),
        "rouge_l": _plain(RougeLOptions, rouge_l),
        "edit_similarity": _plain(EditSimilarityOptions, edit_similarity),
        "embedding_similarity": ScorerKind(
            EmbeddingSimilarityOptions,
            lambda options, around: embedding_similarity(options, around.embedders, around.texts),
        ),
        "json_equal": _plain(JsonEqualOptions, json_equal),
        "json_schema": _plain(JsonSchemaOptions, json_schema),
        "field_f1": _plain(FieldF1Options, field_f1),
        "python_tests": _plain(PythonTestsOptions, PythonTests),
        "composite": ScorerKind(CompositeOptions, lambda options, around: composite(options, around.make)),
    }
)
"""By name, in the order of the reference page."""


def scorer_for(
    spec: ScorerSpec,
    *,
    judges: BuildJudge | None = None,
    embedders: BuildEmbed | None = None,
    texts: Sequence[str] = (),
) -> Scorer:
    """Return the scorer that a suite or a run names.

    Args:
        spec: Name and options; ``scorer_for(scorer.spec)`` gives a scorer's equal.
        judges: Makes those that ask a model; ``None`` where no model can be asked.
        embedders: Makes the embedders of models; ``None`` likewise.
        texts: What the suite's cases expect, by which TF-IDF weighs words; all weigh the same without.

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
    if spec.name == RECORDED:
        raise ConfigurationError(
            "Scorer 'recorded' grades nothing: its scores came with recorded answers.",
            hint="To ask models anew, name a scorer in the suite's plan and give its cases expected answers.",
        )
    kind = KINDS.get(spec.name)
    if kind is None:
        raise ConfigurationError(
            f"No scorer is called {spec.name!r}.", hint=nearest(spec.name, (*KINDS, *JUDGES), what="There are")
        )
    return kind.made_of(spec, Around(judges=judges, embedders=embedders, texts=texts))
