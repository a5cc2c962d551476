"""Models as judges: asked by a rubric, read strictly, and measured themselves before a gate believes them."""

from trimtab.evaluation.judging.admission import Admission, AdmissionFloor, AdmissionOutcome, admit
from trimtab.evaluation.judging.asking import N_TRIES, JudgeModel, JudgeQuestion
from trimtab.evaluation.judging.card import AgreementFigure, JudgeCard, Rate, judge_digest_of, load_cards, save_card
from trimtab.evaluation.judging.correcting import Corrected, corrected_difference, corrected_quality
from trimtab.evaluation.judging.drifting import JudgeDrift, drift_between
from trimtab.evaluation.judging.labels import Label, latest, load_labels, save_label, shuffle_key
from trimtab.evaluation.judging.measuring import Anchor, MeasurePlan, anchors_of, measure_judge, n_questions
from trimtab.evaluation.judging.pairwise import PAIRWISE_JUDGE, PairJudgement, PairwiseJudge
from trimtab.evaluation.judging.preferences import PositionBias, Preferences, preferences_of
from trimtab.evaluation.judging.rubric import JudgeOptions, Rubric, judge_options
from trimtab.evaluation.judging.rubric_judge import RUBRIC_JUDGE, Judgement, RubricJudge
from trimtab.evaluation.judging.scorers import JUDGES, FindJudge, judge_for
from trimtab.evaluation.judging.standing import Admissions, JudgeStanding, judges_of, kept_admissions, standings_of

__all__ = [
    "JUDGES",
    "N_TRIES",
    "PAIRWISE_JUDGE",
    "RUBRIC_JUDGE",
    "Admission",
    "AdmissionFloor",
    "AdmissionOutcome",
    "Admissions",
    "AgreementFigure",
    "Anchor",
    "Corrected",
    "FindJudge",
    "JudgeCard",
    "JudgeDrift",
    "JudgeModel",
    "JudgeOptions",
    "JudgeQuestion",
    "JudgeStanding",
    "Judgement",
    "Label",
    "MeasurePlan",
    "PairJudgement",
    "PairwiseJudge",
    "PositionBias",
    "Preferences",
    "Rate",
    "Rubric",
    "RubricJudge",
    "admit",
    "anchors_of",
    "corrected_difference",
    "corrected_quality",
    "drift_between",
    "judge_digest_of",
    "judge_for",
    "judge_options",
    "judges_of",
    "kept_admissions",
    "latest",
    "load_cards",
    "load_labels",
    "measure_judge",
    "n_questions",
    "preferences_of",
    "save_card",
    "save_label",
    "shuffle_key",
    "standings_of",
]
