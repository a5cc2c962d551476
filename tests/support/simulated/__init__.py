"""Simulated models and traffic with a known ground truth, for tests of everything that no real model is needed for."""

from tests.support.simulated.config import CANDIDATES, NOTE, TODAY
from tests.support.simulated.files import SimulatedFiles, write_simulated
from tests.support.simulated.models import MODELS, PROVIDER, WORKLOADS, SimulatedModel, Workload, pass_probability

__all__ = [
    "CANDIDATES",
    "MODELS",
    "NOTE",
    "PROVIDER",
    "TODAY",
    "WORKLOADS",
    "SimulatedFiles",
    "SimulatedModel",
    "Workload",
    "pass_probability",
    "write_simulated",
]
