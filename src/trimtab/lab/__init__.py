"""Simulated models and traffic with a known ground truth, for the demo and for tests."""

from trimtab.lab.demo import DemoFiles, write_demo
from trimtab.lab.demo_config import CANDIDATES, NOTE, TODAY
from trimtab.lab.results import MoneyCheck, Part, check_money, parts_of, recorded_costs
from trimtab.lab.simulation import MODELS, PROVIDER, WORKLOADS, SimulatedModel, Workload, pass_probability
from trimtab.lab.traffic import Answer, Request, read_traffic, send_all

__all__ = [
    "CANDIDATES",
    "MODELS",
    "NOTE",
    "PROVIDER",
    "TODAY",
    "WORKLOADS",
    "Answer",
    "DemoFiles",
    "MoneyCheck",
    "Part",
    "Request",
    "SimulatedModel",
    "Workload",
    "check_money",
    "parts_of",
    "pass_probability",
    "read_traffic",
    "recorded_costs",
    "send_all",
    "write_demo",
]
