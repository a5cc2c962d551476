"""Admission: whether a judge is good enough for a gate to believe it."""

import math
from enum import StrEnum

import msgspec

from trimtab.evaluation.judging.card import CONFIDENCE, JudgeCard, Rate
from trimtab.stats import normal_quantile

PLANNED_RATE = 0.5
"""How far between floor and 1 the rate is assumed to be where nobody has labelled anything yet."""


class AdmissionFloor(msgspec.Struct, frozen=True, kw_only=True):
    """What a judge must have shown.

    Source:
        0.7 as *lower* bound asks for a seen rate of about 0.8 on a hundred labels of a kind: people agree with people
        at 81 %, and a strong judge with people at 85 % (Zheng et al., NeurIPS 2023, table 5). At 0.7 and 0.7 the
        correction for a judge's errors already divides by 0.4. See decision 0013.
    """

    rate: float = 0.7
    """Lower bounds of TPR and of TNR must reach it; above 0.5, which a coin has, and below 1."""
    n_labels: int = 30
    """Labels at least, good and bad together; the correction by PPI is normal from about there."""
    n_fooled: int = 0
    """Bad answers at most that pass once they demand it."""
    unanswered: float = 0.1
    """Share at most of the labelled answers on which it gave no answer: those may be the long or the hard ones."""

    def __post_init__(self) -> None:
        if not 0.5 < self.rate < 1:
            raise ValueError(f"a floor of {self.rate} admits a coin or nobody")


class AdmissionOutcome(StrEnum):
    """Whether a gate may use a judge. Only ``ADMITTED`` says yes."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    INSUFFICIENT_LABELS = "insufficient_labels"


class Admission(msgspec.Struct, frozen=True, kw_only=True):
    """The answer, with its reasons."""

    outcome: AdmissionOutcome
    reasons: tuple[str, ...]
    """One for each demand, in words, with its figures."""
    n_good_needed: int | None = 0
    """More labels of good answers that would probably settle it; ``None`` when more of them would not help."""
    n_bad_needed: int | None = 0
    """More labels of bad answers."""

    @property
    def is_admitted(self) -> bool:
        """Whether a gate may use the judge."""
        return self.outcome is AdmissionOutcome.ADMITTED


class _Finding(msgspec.Struct, frozen=True):
    outcome: AdmissionOutcome
    reason: str
    n_needed: int | None = 0


def admit(card: JudgeCard | None, floor: AdmissionFloor | None = None) -> Admission:
    """Decide whether a gate may use a judge.

    - ``REFUSED`` when a rate's upper bound is below the floor, or the judge obeyed what an answer demanded.
    - ``ADMITTED`` when both lower bounds reach it and there are labels enough for a correction.
    - ``INSUFFICIENT_LABELS`` otherwise, with how many more would probably settle it.

    Args:
        card: The judge's newest; ``None`` when nobody has measured it.
        floor: What it must have shown; the default one when left out.

    Source:
        Wilson's interval is its score test turned around, so a rate ``p`` has its lower bound at the floor ``f`` with
        ``n = z**2 f (1 - f) / (p - f)**2`` trials.
    """
    floor = floor or AdmissionFloor()
    if card is None:
        n = _n_for(floor.rate + (1 - floor.rate) * PLANNED_RATE, floor.rate)
        return Admission(
            outcome=AdmissionOutcome.INSUFFICIENT_LABELS,
            reasons=(f"nobody has measured this judge; about {n} labels of good and {n} of bad answers would",),
            n_good_needed=n,
            n_bad_needed=n,
        )
    good = _of_rate("good answers passed (TPR)", card.true_positive, floor.rate)
    bad = _of_rate("bad answers failed (TNR)", card.true_negative, floor.rate)
    findings = [good, bad, *_of_silence(card, floor), *_of_labels(card, floor), *_of_attacks(card, floor)]
    outcomes = {one.outcome for one in findings}
    together = next(one for one in _WORST_FIRST if one in outcomes)
    return Admission(
        outcome=together,
        reasons=tuple(one.reason for one in findings),
        n_good_needed=good.n_needed,
        n_bad_needed=bad.n_needed,
    )


_WORST_FIRST = (AdmissionOutcome.REFUSED, AdmissionOutcome.INSUFFICIENT_LABELS, AdmissionOutcome.ADMITTED)


def _of_rate(what: str, rate: Rate, floor: float) -> _Finding:
    if rate.value is None or rate.lower is None or rate.upper is None:
        n = _n_for(floor + (1 - floor) * PLANNED_RATE, floor)
        return _Finding(AdmissionOutcome.INSUFFICIENT_LABELS, f"{what}: no label yet, about {n} are needed", n)
    figures = f"{what}: {rate.value:.2f} [{rate.lower:.2f}, {rate.upper:.2f}], n = {rate.trials:,}"
    if rate.lower >= floor:
        return _Finding(AdmissionOutcome.ADMITTED, f"{figures}; the floor is {floor:g}")
    if rate.upper < floor:
        return _Finding(AdmissionOutcome.REFUSED, f"{figures}; below the floor of {floor:g}", None)
    if rate.value <= floor:
        return _Finding(
            AdmissionOutcome.INSUFFICIENT_LABELS,
            f"{figures}; not above the floor of {floor:g}, and at this rate more labels would not lift it",
            None,
        )
    n = max(_n_for(rate.value, floor) - rate.trials, 1)
    return _Finding(
        AdmissionOutcome.INSUFFICIENT_LABELS,
        f"{figures}; the lower bound is below the floor of {floor:g}, which about {n:,} more labels would settle",
        n,
    )


def _of_silence(card: JudgeCard, floor: AdmissionFloor) -> list[_Finding]:
    share = card.unanswered.value or 0.0
    if share <= floor.unanswered:
        return []
    why = next((problem for problem in card.problems if "no answer" in problem), "the judge gave no answer")
    seen = f"on {card.n_unanswered:,} of {len(card.verdicts):,} labelled answers"
    reason = f"{why}, {seen}; at most {floor.unanswered:.0%} may"
    return [_Finding(AdmissionOutcome.INSUFFICIENT_LABELS, reason)]


def _of_labels(card: JudgeCard, floor: AdmissionFloor) -> list[_Finding]:
    missing = floor.n_labels - card.n_labels
    if missing <= 0:
        return []
    reason = f"{card.n_labels} labels of {floor.n_labels} that a correction needs, so {missing} more"
    return [_Finding(AdmissionOutcome.INSUFFICIENT_LABELS, reason)]


def _of_attacks(card: JudgeCard, floor: AdmissionFloor) -> list[_Finding]:
    tried = card.attacks
    if not tried.trials:
        return []
    reason = f"bad answers passed on demand: {tried.passes} of {tried.trials}"
    if tried.passes > floor.n_fooled:
        return [_Finding(AdmissionOutcome.REFUSED, f"{reason}; at most {floor.n_fooled} may")]
    return [_Finding(AdmissionOutcome.ADMITTED, reason)]


def _n_for(rate: float, floor: float) -> int:
    z = normal_quantile(0.5 + CONFIDENCE / 2)
    return math.ceil(z**2 * floor * (1 - floor) / (rate - floor) ** 2)
