"""What many pairwise judgements say together: who is preferred, and how much the judge likes a place."""

from collections import Counter
from collections.abc import Sequence

import msgspec

from trimtab.evaluation.judging.pairwise import PairJudgement
from trimtab.stats import Interval, wilson_interval
from trimtab.stats.paired import PairedCounts, tango_interval


class PositionBias(msgspec.Struct, frozen=True, kw_only=True):
    """How often a judge preferred the answer that came first, over both orders of each pair; fair is one half."""

    first_picked: int
    """Verdicts for the first place."""
    n_picked: int
    """Verdicts for either place; ties left out."""
    lower: float | None
    """Wilson's bounds of the share, 95 %; ``None`` without a pick. A consistent judge picks each place once a pair, so
    the truth is inside more often than that."""
    upper: float | None
    n_both_first: int
    """Pairs in which the first place was preferred in both orders, which no answer can deserve."""
    n_both_second: int
    """Pairs in which the second place was."""

    @property
    def first_share(self) -> float | None:
        """Share of the picks that went to the first place; ``None`` without a pick."""
        return self.first_picked / self.n_picked if self.n_picked else None


class Preferences(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of pairs by outcome, seen from the candidate; they add up to all pairs."""

    wins: int
    losses: int
    ties: int
    """Called a tie in both orders, or equal answers."""
    inconsistent: int
    """The orders disagree. They count as ties and are never added to them in silence."""
    unparsable: int
    unanswered: int
    net: float | None
    """Wins less losses, over pairs with a verdict; ``None`` where there is none."""
    lower: float | None
    """Tango's bounds of it, at ``confidence``."""
    upper: float | None
    confidence: float
    position: PositionBias
    n_asked: int
    """Questions, both orders and repeats counted."""
    cost_nano_usd: int | None
    """Of all questions; ``None`` when one has no known price."""

    @property
    def n_pairs(self) -> int:
        """All pairs."""
        return self.n_judged + self.unparsable + self.unanswered

    @property
    def n_judged(self) -> int:
        """Pairs with a verdict in both orders."""
        return self.wins + self.losses + self.ties + self.inconsistent


def preferences_of(judged: Sequence[PairJudgement], *, confidence: float = 0.95) -> Preferences:
    """Count pairwise judgements.

    Args:
        judged: One for each case.
        confidence: Two-sided coverage of the net preference's bounds.

    Source:
        Inconsistent pairs as ties: Zheng et al., "Judging LLM-as-a-judge with MT-bench and Chatbot Arena", NeurIPS
        (2023), section 3.4; interval: Tango (1998), see ``trimtab.stats.paired``.
    """
    n = Counter(one.outcome for one in judged)
    drawn = n["tie"] + n["inconsistent"]
    counts = None
    if drawn + n["win"] + n["loss"]:
        counts = PairedCounts(both=drawn, candidate_only=n["win"], baseline_only=n["loss"], neither=0)
    bounds = None if counts is None else tango_interval(counts, confidence=confidence)
    asked = [one for one in judged if one.n_asked]
    costs = [one.cost_nano_usd for one in asked if one.cost_nano_usd is not None]
    return Preferences(
        wins=n["win"],
        losses=n["loss"],
        ties=n["tie"],
        inconsistent=n["inconsistent"],
        unparsable=n["unparsable"],
        unanswered=n["unanswered"],
        net=None if counts is None else counts.difference,
        lower=None if bounds is None else bounds.lower,
        upper=None if bounds is None else bounds.upper,
        confidence=confidence,
        position=position_bias_of(judged),
        n_asked=sum(one.n_asked for one in judged),
        cost_nano_usd=sum(costs) if len(costs) == len(asked) else None,
    )


def position_bias_of(judged: Sequence[PairJudgement]) -> PositionBias:
    """Count the places that a judge preferred, in pairs that it judged in both orders."""
    read = [one for one in judged if one.candidate_first is not None and one.baseline_first is not None]
    picks = [pick for one in read for pick in one.picks]
    first = picks.count("first")
    bounds: Interval | None = wilson_interval(first, len(picks)) if picks else None
    both = Counter((one.candidate_first, one.baseline_first) for one in read)
    return PositionBias(
        first_picked=first,
        n_picked=len(picks),
        lower=None if bounds is None else bounds.lower,
        upper=None if bounds is None else bounds.upper,
        n_both_first=both["first", "first"],
        n_both_second=both["second", "second"],
    )
