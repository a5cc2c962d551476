"""Simulated models and traffic with a known ground truth, for the demo and for tests."""

from trimtab.lab.demo import DemoFiles, write_demo
from trimtab.lab.simulation import MODELS, WORKLOADS, SimulatedModel, Workload, pass_probability

__all__ = ["MODELS", "WORKLOADS", "DemoFiles", "SimulatedModel", "Workload", "pass_probability", "write_demo"]
