"""Evaluation runs on a configuration: their models, what they cost, and the gateway that they are asked through."""

from trimtab.wiring.evaluating.asker import Asker, InnerWire, OuterWire
from trimtab.wiring.evaluating.evaluation import Evaluation, Order, Part
from trimtab.wiring.evaluating.judges import Bench
from trimtab.wiring.evaluating.opening import inner_gateway, outer_gateway
from trimtab.wiring.evaluating.targets import Estimator, RunEstimate, Target, find_target
from trimtab.wiring.evaluating.wire import EVALUATION_APP, Arrived, Sampling, read_answer

__all__ = [
    "EVALUATION_APP",
    "Arrived",
    "Asker",
    "Bench",
    "Estimator",
    "Evaluation",
    "InnerWire",
    "Order",
    "OuterWire",
    "Part",
    "RunEstimate",
    "Sampling",
    "Target",
    "find_target",
    "inner_gateway",
    "outer_gateway",
    "read_answer",
]
