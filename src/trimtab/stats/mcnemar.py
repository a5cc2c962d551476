"""Do two models differ on the same cases at all? McNemar's test in its four usual forms."""

import math
from typing import NamedTuple

from trimtab.stats._binomial import binomial_at_most, binomial_log_mass
from trimtab.stats.paired import PairedCounts

__all__ = ["McNemar", "mcnemar"]


class McNemar(NamedTuple):
    """Two-sided p-values of "the candidate gains as many cases as it loses".

    ``p_mid`` is the one to use: close to its level with few and with many cases. ``p_exact`` never passes its level
    and is timid; ``p_asymptotic`` can pass it with few disagreements.
    """

    chi_squared: float
    p_asymptotic: float
    chi_squared_corrected: float
    """With Edwards's continuity correction."""
    p_corrected: float
    p_exact: float
    p_mid: float


def mcnemar(counts: PairedCounts) -> McNemar:
    """Test whether two models' rates on the same cases differ.

    A small p-value says "different", a large one does *not* say "equally good": for that ask
    ``tango_noninferiority``.

    Args:
        counts: The outcomes; without any disagreement every p-value is 1.

    Returns:
        Statistics and two-sided p-values.

    Example:
        >>> test = mcnemar(PairedCounts(both=1, candidate_only=1, baseline_only=7, neither=12))
        >>> round(test.p_exact, 4), round(test.p_mid, 4)
        (0.0703, 0.0391)

    Source:
        McNemar, Psychometrika 12 (1947), 153-157. Mid-p: Fagerland, Lydersen and Laake, "The McNemar test for binary
        matched-pairs data", BMC Medical Research Methodology 13 (2013), 91.
    """
    gains, losses = counts.candidate_only, counts.baseline_only
    differing, gap = gains + losses, abs(gains - losses)
    if differing == 0:
        return McNemar(0.0, 1.0, 0.0, 1.0, 1.0, 1.0)
    plain, corrected = gap**2 / differing, max(gap - 1, 0) ** 2 / differing
    fewer = min(gains, losses)
    tail = binomial_at_most(fewer, differing, 0.5)
    exact = min(2 * tail, 1.0)
    mid = 2 * tail - math.exp(binomial_log_mass(fewer, differing, 0.5))
    return McNemar(plain, _chi_squared_tail(plain), corrected, _chi_squared_tail(corrected), exact, min(mid, 1.0))


def _chi_squared_tail(value: float) -> float:
    """Upper tail at one degree of freedom, where chi is a normal deviate."""
    return math.erfc(math.sqrt(value / 2))
