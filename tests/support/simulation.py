"""Simulations that many statistical tests share: how often an interval covers, how often a process cries wolf."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np


class Bounds(Protocol):
    """Anything with a lower and an upper bound."""

    @property
    def lower(self) -> float: ...

    @property
    def upper(self) -> float: ...


class Drawn(NamedTuple):
    """An interval computed from one random sample, and the truth it was drawn from."""

    bounds: Bounds
    truth: float


def coverage(draw: Callable[[np.random.Generator], Drawn], *, runs: int, seed: int = 1) -> float:
    """Return the share of runs whose interval holds the truth."""
    random = np.random.default_rng(seed)
    drawn = [draw(random) for _ in range(runs)]
    return sum(one.bounds.lower <= one.truth <= one.bounds.upper for one in drawn) / runs
