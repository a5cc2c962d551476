"""The same model at several precisions: made, measured as served, and judged against its parent."""

from trimtab.serving.variants.ladder import Ladder, LadderPlan, LadderRow, StratumScore, climb
from trimtab.serving.variants.measuring import Served, Serving, measure_served

__all__ = [
    "Ladder",
    "LadderPlan",
    "LadderRow",
    "Served",
    "Serving",
    "StratumScore",
    "climb",
    "measure_served",
]
