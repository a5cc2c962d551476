"""What other policies would have done with calls that already happened: cost, quality and shares, with intervals."""

from trimtab.replay.outcomes import Outcome, PromptOutcomes
from trimtab.replay.recorded_runs import KeptRun, keep_recorded
from trimtab.replay.results import Result, Simulation
from trimtab.replay.simulate import Resolve, simulate

__all__ = [
    "KeptRun",
    "Outcome",
    "PromptOutcomes",
    "Resolve",
    "Result",
    "Simulation",
    "keep_recorded",
    "simulate",
]
