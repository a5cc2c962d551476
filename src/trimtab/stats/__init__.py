"""Intervals, tests and the distributions behind them: no number without its uncertainty.

What every process needs is here. The rest is imported by its module, so that a gateway loads none of it:

- rates: ``proportions``, ``paired`` and ``mcnemar`` (same cases), ``judge_error`` (a fallible judge)
- several strata in one figure, amounts: ``stratified``, ``ratios``
- scores: ``paired_scores``, ``bootstrap``, ``prediction_powered`` (few labels, many predictions)
- planning and many tests: ``power``, ``multiplicity``
- looking as often as you like: ``e_processes``, ``betting``, ``asymptotic``
- graders: ``agreement``
- policies and thresholds: ``off_policy``, ``risk_control``
- change: ``drift``, ``mmd``, ``change_detection``

``bootstrap``, ``paired_scores``, ``prediction_powered``, ``betting``, ``off_policy``, ``mmd`` and
``proportions.clopper_pearson_interval`` need the extra ``stats`` (numpy and scipy); all others are plain Python.
"""

from trimtab.stats.intervals import (
    Interval,
    MeanInterval,
    Moments,
    mean_interval,
    mean_interval_from_sums,
    wilson_interval,
)
from trimtab.stats.quantiles import normal_quantile, student_t_quantile

__all__ = [
    "Interval",
    "MeanInterval",
    "Moments",
    "mean_interval",
    "mean_interval_from_sums",
    "normal_quantile",
    "student_t_quantile",
    "wilson_interval",
]
