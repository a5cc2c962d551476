"""Suites, runs, comparisons and gates: what a model can do, measured on fixed cases, against another one.

``run_suite`` asks a model every case of a ``Suite``; ``compare_runs`` pairs two runs case by case; ``gate`` answers
whether the candidate may serve in the baseline's place; ``gap_to_frontier`` says what is still missing.
"""

from trimtab.evaluation.case import Case, Message, Option, ScorerSpec, user_prompt
from trimtab.evaluation.comparing import Comparison, PairedResult, RunLabel, compare_runs
from trimtab.evaluation.drafting import SuiteDraft, SuiteReading
from trimtab.evaluation.frontier import FrontierGap, gap_to_frontier
from trimtab.evaluation.gating import GateOutcome, GateVerdict, StratumVerdict, gate
from trimtab.evaluation.problems import SHOWN_PROBLEMS, SuiteProblem
from trimtab.evaluation.recording import RECORDED, Outcome, are_binary, recorded_run, recorded_scorer
from trimtab.evaluation.retrying import Asked, AskRequest, Patience, Request, ask_patiently
from trimtab.evaluation.run_plan import RunPlan, ScorerUse, is_routed, spec_key, use_of
from trimtab.evaluation.running import Answer, Ask, CaseResult, Run, run_suite
from trimtab.evaluation.scoring import EXACT_MATCH, NORMALISED_MATCH, Score, Scorer, TextScorer, scorer_for
from trimtab.evaluation.sizing import StratumSize, stratum_sizes
from trimtab.evaluation.suite import Plan, Suite
from trimtab.evaluation.suite_file import encode_suite, load_suite, read_suite, save_suite

__all__ = [
    "EXACT_MATCH",
    "NORMALISED_MATCH",
    "RECORDED",
    "SHOWN_PROBLEMS",
    "Answer",
    "Ask",
    "AskRequest",
    "Asked",
    "Case",
    "CaseResult",
    "Comparison",
    "FrontierGap",
    "GateOutcome",
    "GateVerdict",
    "Message",
    "Option",
    "Outcome",
    "PairedResult",
    "Patience",
    "Plan",
    "Request",
    "Run",
    "RunLabel",
    "RunPlan",
    "Score",
    "Scorer",
    "ScorerSpec",
    "ScorerUse",
    "StratumSize",
    "StratumVerdict",
    "Suite",
    "SuiteDraft",
    "SuiteProblem",
    "SuiteReading",
    "TextScorer",
    "are_binary",
    "ask_patiently",
    "compare_runs",
    "encode_suite",
    "gap_to_frontier",
    "gate",
    "is_routed",
    "load_suite",
    "read_suite",
    "recorded_run",
    "recorded_scorer",
    "run_suite",
    "save_suite",
    "scorer_for",
    "spec_key",
    "stratum_sizes",
    "use_of",
    "user_prompt",
]
