"""What other policies would have done with calls that already happened: cost, quality and shares, with intervals."""

from trimtab.replay.outcomes import Measured, Outcome, PromptOutcomes
from trimtab.replay.results import Result, Simulation
from trimtab.replay.simulate import Measure, Resolve, simulate

__all__ = [
    "Measure",
    "Measured",
    "Outcome",
    "PromptOutcomes",
    "Resolve",
    "Result",
    "Simulation",
    "simulate",
]
