"""What other policies would have done with calls that already happened: cost, quality and shares, with intervals."""

from trimtab.replay.journal_suite import JournalSuite, draw_suite
from trimtab.replay.outcomes import Outcome, PromptOutcomes
from trimtab.replay.recorded_runs import KeptRun, keep_recorded
from trimtab.replay.results import Result, Simulation
from trimtab.replay.sampling import TOO_SENSITIVE, Allocation, SampleChoice, StratumBy
from trimtab.replay.simulate import Resolve, simulate

__all__ = [
    "TOO_SENSITIVE",
    "Allocation",
    "JournalSuite",
    "KeptRun",
    "Outcome",
    "PromptOutcomes",
    "Resolve",
    "Result",
    "SampleChoice",
    "Simulation",
    "StratumBy",
    "draw_suite",
    "keep_recorded",
    "simulate",
]
