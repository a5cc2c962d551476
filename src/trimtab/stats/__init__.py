"""Intervals and the distributions behind them: no number without its uncertainty."""

from trimtab.stats.intervals import Interval, Moments, mean_interval, wilson_interval
from trimtab.stats.quantiles import normal_quantile, student_t_quantile

__all__ = ["Interval", "Moments", "mean_interval", "normal_quantile", "student_t_quantile", "wilson_interval"]
