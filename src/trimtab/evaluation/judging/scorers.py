"""Judges by name: from what a suite says of its judge to a scorer that asks a model."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from trimtab.core.errors import ConfigurationError
from trimtab.evaluation.case import ScorerSpec
from trimtab.evaluation.judging import pairwise, rubric_judge
from trimtab.evaluation.judging.asking import JudgeModel
from trimtab.evaluation.judging.pairwise import PAIRWISE_JUDGE, PairwiseJudge
from trimtab.evaluation.judging.rubric import judge_options
from trimtab.evaluation.judging.rubric_judge import RUBRIC_JUDGE, RubricJudge

Judge = RubricJudge | PairwiseJudge
FindJudge = Callable[[str], JudgeModel]
"""Returns the model of that name, ready to be asked."""
JUDGES: Mapping[str, type[RubricJudge] | type[PairwiseJudge]] = MappingProxyType(
    {RUBRIC_JUDGE: RubricJudge, PAIRWISE_JUDGE: PairwiseJudge}
)
"""By name."""
VERSIONS: Mapping[str, int] = MappingProxyType({RUBRIC_JUDGE: rubric_judge.VERSION, PAIRWISE_JUDGE: pairwise.VERSION})
"""Of the judges as they are now, by name."""


def judge_for(spec: ScorerSpec, find: FindJudge) -> Judge:
    """Return the judge that a suite asks for.

    Args:
        spec: Its name, model and rubric.
        find: Knows the models.

    Raises:
        ConfigurationError: it is no judge, or its options make none.
        UnknownModel: nobody serves its model.
    """
    kind = JUDGES.get(spec.name)
    if kind is None:
        raise ConfigurationError(f"Scorer {spec.name!r} is no judge.", hint=f"Judges: {', '.join(JUDGES)}.")
    options = judge_options(spec)
    return kind(model=find(options.model), rubric=options.rubric)
