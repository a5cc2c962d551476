"""Models as judges: asked by a rubric, read strictly, and measured themselves before a gate believes them."""

from trimtab.evaluation.judging.asking import N_TRIES, JudgeModel, JudgeQuestion
from trimtab.evaluation.judging.pairwise import PAIRWISE_JUDGE, PairJudgement, PairwiseJudge
from trimtab.evaluation.judging.preferences import PositionBias, Preferences, preferences_of
from trimtab.evaluation.judging.rubric import JudgeOptions, Rubric, judge_options
from trimtab.evaluation.judging.rubric_judge import RUBRIC_JUDGE, Judgement, RubricJudge
from trimtab.evaluation.judging.scorers import JUDGES, FindJudge, judge_for

__all__ = [
    "JUDGES",
    "N_TRIES",
    "PAIRWISE_JUDGE",
    "RUBRIC_JUDGE",
    "FindJudge",
    "JudgeModel",
    "JudgeOptions",
    "JudgeQuestion",
    "Judgement",
    "PairJudgement",
    "PairwiseJudge",
    "PositionBias",
    "Preferences",
    "Rubric",
    "RubricJudge",
    "judge_for",
    "judge_options",
    "preferences_of",
]
