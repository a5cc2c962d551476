"""Evaluation runs over the store: begun or taken up again, filled answer by answer, scored again."""

from trimtab.replay.evaluating.beginning import begin_run, holding, new_run_id, unfinished_run
from trimtab.replay.evaluating.grading import FindScorer, Grader
from trimtab.replay.evaluating.rescoring import score_again
from trimtab.replay.evaluating.running import Done, Manner, OnDone, fill_run, first_of
from trimtab.replay.evaluating.summary import RunSummary, TaskScore, quality_of, summarise
from trimtab.replay.evaluating.writing import ResultWriter

__all__ = [
    "Done",
    "FindScorer",
    "Grader",
    "Manner",
    "OnDone",
    "ResultWriter",
    "RunSummary",
    "TaskScore",
    "begin_run",
    "fill_run",
    "first_of",
    "holding",
    "new_run_id",
    "quality_of",
    "score_again",
    "summarise",
    "unfinished_run",
]
