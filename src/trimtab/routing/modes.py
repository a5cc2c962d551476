"""Who comes first among those that may and can take the call.

Every order is a sort by a key of the single model. A model's place against another therefore never depends on a third
one, and adding a model that is worse in everything never changes the choice.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from trimtab.core import format_usd, from_nano_usd
from trimtab.policy import Constraints, Facts
from trimtab.routing.decision import CandidateFacts
from trimtab.routing.tier_constraints import may_overflow

Key = tuple[float, ...]
_LAST = float("inf")


class Ranking(NamedTuple):
    """The candidates in the order they are to be asked, and why the first one is first."""

    order: tuple[str, ...]
    why: str


class _Strategy(NamedTuple):
    key: Callable[[CandidateFacts], Key]
    why: Callable[[CandidateFacts, Sequence[CandidateFacts]], str]


def rank(facts: Facts, constraints: Constraints, candidates: Sequence[CandidateFacts]) -> Ranking:
    """Order the candidates by the mode. Unavailable ones come last; a pin or ``fixed`` looks at nothing else.

    Ties go to the cheaper model, a known price before an unknown one, then to the pool's own order.
    """
    is_fixed = constraints.mode == "fixed" or constraints.pin is not None
    strategy = _fixed(facts, constraints) if is_fixed else _STRATEGIES[_aim(constraints)](constraints)

    def key(candidate: CandidateFacts) -> Key:
        if is_fixed:
            return strategy.key(candidate)
        return (may_overflow(facts, candidate), *strategy.key(candidate), _cost(candidate))

    return _ranked(candidates, key, strategy.why)


def rank_by_cost(candidates: Sequence[CandidateFacts]) -> Ranking:
    """Order the candidates by cost alone, for a budget that says downgrade. An unknown price ranks after known ones."""
    return _ranked(candidates, lambda c: (_cost(c),), lambda c, _: f"{c.model} is the cheapest permitted model{_at(c)}")


def _ranked(
    candidates: Sequence[CandidateFacts],
    key: Callable[[CandidateFacts], Key],
    why: Callable[[CandidateFacts, Sequence[CandidateFacts]], str],
) -> Ranking:
    # min and sorted are stable, so equal keys keep the pool's order.
    order = sorted(candidates, key=lambda c: (not c.is_available, *key(c)))
    first = order[0]
    reason = why(first, candidates)
    wanted = min(candidates, key=key)
    if wanted is not first:
        reason = f"{wanted.model} would come first and is not available now; next, {reason}"
    elif not first.is_available:
        reason += "; no model left is available now, so it is tried all the same"
    return Ranking(tuple(c.model for c in order), reason)


def _aim(constraints: Constraints) -> str:
    return constraints.preset if constraints.mode == "auto" else constraints.mode


def _fixed(facts: Facts, constraints: Constraints) -> _Strategy:
    """The pin, else the model asked for, else the first preferred, else the pool's first. Nothing measured counts."""
    wanted = (
        [(constraints.pin.model, f"pinned until the review on {constraints.pin.review_at}")] if constraints.pin else []
    )
    wanted.append((facts.requested_model, "the model the call asks for"))
    wanted += [(name, "first in the policy's preference") for name in constraints.prefer]
    places = {name: place for place, (name, _) in reversed(list(enumerate(wanted)))}

    def why(first: CandidateFacts, _: Sequence[CandidateFacts]) -> str:
        place = places.get(first.model)
        return f"{first.model} is {wanted[place][1] if place is not None else 'the first permitted of the pool'}"

    return _Strategy(lambda c: (places.get(c.model, _LAST),), why)


def _balanced(constraints: Constraints) -> _Strategy:
    """The cheapest that clears the bar; else the policy's preference; else the most capable; surely too poor last."""
    bar, places = constraints.quality_bar, _places(constraints)

    def key(c: CandidateFacts) -> Key:
        if _clears(c, bar):
            return (0, _cost(c), *_capability(c))
        return (3 if _misses(c, bar) else 1, places.get(c.model, _LAST), *_capability(c))

    def why(first: CandidateFacts, everyone: Sequence[CandidateFacts]) -> str:
        if _clears(first, bar):
            n = sum(_clears(c, bar) for c in everyone)
            kind = f"the cheapest of {n} models" if n > 1 else "the only model"
            return (
                f"{first.model} is {kind} whose measured quality clears the bar of {bar}: {_quality(first)}{_at(first)}"
            )
        return _preferred_or_capable(first, places, bar)

    return _Strategy(key, why)


def _most_capable(constraints: Constraints) -> _Strategy:
    """The highest lower bound of measured quality; unmeasured ones after it, by declared rank."""
    bar = constraints.quality_bar
    return _Strategy(
        lambda c: (_misses(c, bar), *_capability(c)), lambda first, _: _preferred_or_capable(first, {}, bar)
    )


def _eco(constraints: Constraints) -> _Strategy:
    """The least energy, then the least cost, among those that clear the bar; unknown figures rank after known ones."""
    bar = constraints.quality_bar

    def key(c: CandidateFacts) -> Key:
        place = 0 if bar is None or _clears(c, bar) else 2 if _misses(c, bar) else 1
        return (place, _LAST if c.energy_wh is None else c.energy_wh, _cost(c), *_capability(c))

    def why(first: CandidateFacts, _: Sequence[CandidateFacts]) -> str:
        energy = "" if first.energy_wh is None else f", about {first.energy_wh:.4g} Wh a call"
        least = "the least cost; its energy is unknown" if first.energy_wh is None else "the least energy"
        measured = f" among models whose measured quality clears the bar of {bar}" if _clears(first, bar) else ""
        return f"{first.model} takes {least}{measured}{energy}{_at(first)}"

    return _Strategy(key, why)


def _regulated(constraints: Constraints) -> _Strategy:
    """The policy's preference, then the most capable; only approved models are left here."""
    bar, places = constraints.quality_bar, _places(constraints)
    return _Strategy(
        lambda c: (_misses(c, bar), places.get(c.model, _LAST), *_capability(c)),
        lambda first, _: f"{_preferred_or_capable(first, places, bar)}, among the approved ones",
    )


_STRATEGIES: dict[str, Callable[[Constraints], _Strategy]] = {
    "balanced": _balanced,
    "max-quality": _most_capable,
    "capability": _most_capable,
    "eco": _eco,
    "regulated": _regulated,
}


def _places(constraints: Constraints) -> dict[str, int]:
    return {name: place for place, name in reversed(list(enumerate(constraints.prefer)))}


def _clears(candidate: CandidateFacts, bar: float | None) -> bool:
    return bar is not None and candidate.quality is not None and candidate.quality.lower >= bar


def _misses(candidate: CandidateFacts, bar: float | None) -> bool:
    return bar is not None and candidate.quality is not None and candidate.quality.upper < bar


def _capability(candidate: CandidateFacts) -> Key:
    if candidate.quality is not None:
        return (0, -candidate.quality.lower)
    return (1, _LAST if candidate.capability_rank is None else -candidate.capability_rank)


def _cost(candidate: CandidateFacts) -> float:
    return _LAST if candidate.cost_nano_usd is None else candidate.cost_nano_usd


def _preferred_or_capable(first: CandidateFacts, places: dict[str, int], bar: float | None) -> str:
    cleared = "" if bar is None else f", and no available model's measured quality clears the bar of {bar}"
    if first.model in places:
        return f"{first.model} is number {places[first.model] + 1} in the policy's order of preference{cleared}"
    if first.quality is not None:
        return f"{first.model} has the highest measured quality, {_quality(first)}{cleared}"
    if first.capability_rank is not None:
        return (
            f"{first.model} is declared the most capable, rank {first.capability_rank:g}; its quality is not measured"
        )
    return f"{first.model} is first by price and the pool's order: no quality is measured and no capability declared"


def _quality(candidate: CandidateFacts) -> str:
    estimate = candidate.quality
    assert estimate is not None
    return f"{estimate.mean:.3f} [{estimate.lower:.3f}, {estimate.upper:.3f}], n = {estimate.n_samples}"


def _at(candidate: CandidateFacts) -> str:
    if candidate.cost_nano_usd is None:
        return ", price unknown"
    return f", at most {format_usd(from_nano_usd(candidate.cost_nano_usd))} a call"
