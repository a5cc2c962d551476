"""Intervals and the distributions behind them: no number without its uncertainty."""

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
