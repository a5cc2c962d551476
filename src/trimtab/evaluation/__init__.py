"""Suites, runs, comparisons and gates: what a model can do, measured on fixed cases, against another one.

``run_suite`` asks a model every case of a ``Suite``; ``profile_of`` says how good it was; ``compare_runs`` pairs two
runs case by case; ``gate`` answers whether the candidate may serve in the baseline's place, ``recommend`` on which
strata it may; ``gap_to_frontier`` says what is still missing.
"""

from trimtab.evaluation.case import Case, Message, Option, ScorerSpec, user_prompt
from trimtab.evaluation.comparing import Comparison, RunLabel, compare_runs, compare_task_types
from trimtab.evaluation.disagreements import Disagreement, disagreements
from trimtab.evaluation.drafting import SuiteDraft, SuiteReading
from trimtab.evaluation.frontier import FrontierGap, gap_to_frontier
from trimtab.evaluation.gating import GateOutcome, GateVerdict, StratumVerdict, gate, gate_all
from trimtab.evaluation.paired_result import PairedResult
from trimtab.evaluation.problems import SHOWN_PROBLEMS, SuiteProblem
from trimtab.evaluation.quality import Profile, Quality, profile_of
from trimtab.evaluation.readability import unreadable_cases
from trimtab.evaluation.recommending import CandidateAdvice, recommend
from trimtab.evaluation.recording import Outcome, are_binary, recorded_run, recorded_scorer
from trimtab.evaluation.reporting import ComparisonReport, Contest, report_on
from trimtab.evaluation.retrying import Asked, AskRequest, Patience, Request, ask_patiently
from trimtab.evaluation.run_plan import RunPlan, ScorerUse, is_routed, spec_key, use_of
from trimtab.evaluation.running import Answer, Ask, CaseResult, Run, run_suite
from trimtab.evaluation.scoring import (
    EXACT_MATCH,
    NORMALISED_MATCH,
    RECORDED,
    Embed,
    Score,
    Scorer,
    TextScorer,
    scorer_for,
)
from trimtab.evaluation.sizing import StratumSize, stratum_sizes
from trimtab.evaluation.spending import Comparative, CostPerCase, Ratios
from trimtab.evaluation.suite import Plan, Suite
from trimtab.evaluation.suite_file import encode_suite, load_suite, read_suite, save_suite
from trimtab.evaluation.traffic import Headline, Mix

__all__ = [
    "EXACT_MATCH",
    "NORMALISED_MATCH",
    "RECORDED",
    "SHOWN_PROBLEMS",
    "Answer",
    "Ask",
    "AskRequest",
    "Asked",
    "CandidateAdvice",
    "Case",
    "CaseResult",
    "Comparative",
    "Comparison",
    "ComparisonReport",
    "Contest",
    "CostPerCase",
    "Disagreement",
    "Embed",
    "FrontierGap",
    "GateOutcome",
    "GateVerdict",
    "Headline",
    "Message",
    "Mix",
    "Option",
    "Outcome",
    "PairedResult",
    "Patience",
    "Plan",
    "Profile",
    "Quality",
    "Ratios",
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
    "compare_task_types",
    "disagreements",
    "encode_suite",
    "gap_to_frontier",
    "gate",
    "gate_all",
    "is_routed",
    "load_suite",
    "profile_of",
    "read_suite",
    "recommend",
    "recorded_run",
    "recorded_scorer",
    "report_on",
    "run_suite",
    "save_suite",
    "scorer_for",
    "spec_key",
    "stratum_sizes",
    "unreadable_cases",
    "use_of",
    "user_prompt",
]
