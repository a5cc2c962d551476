"""Drift: whether a judge still says of the same answers what it said when it was admitted."""

import msgspec

from trimtab.evaluation.judging.card import JudgeCard, LabelledVerdict
from trimtab.stats.agreement import anchor_drift


class JudgeDrift(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's card against a later one, on the answers that both have. Shares are fractions, bounds 95 %."""

    n_anchors: int
    then_at_us: int
    now_at_us: int
    then_model_version: str | None
    now_model_version: str | None
    flipped: float
    """Anchors of which it is now right where it was wrong, or the other way."""
    flipped_lower: float
    flipped_upper: float
    accuracy_change: float
    """Share of right verdicts now less then."""
    accuracy_lower: float
    accuracy_upper: float
    p_value: float
    """Two-sided mid-p of "as accurate as then"."""
    alpha: float

    @property
    def has_drifted(self) -> bool:
        """Whether it is shown to be more or less accurate than it was. Looking often needs a smaller alpha."""
        return self.p_value < self.alpha


def drift_between(then: JudgeCard, now: JudgeCard, *, alpha: float = 0.05) -> JudgeDrift | None:
    """Compare two cards of a judge; ``None`` when they share no answer on which it gave a verdict both times.

    Args:
        then: The earlier card, such as the one it was admitted by.
        now: A later one.
        alpha: Two-sided error of the alarm.

    Source:
        As ``trimtab.stats.agreement.anchor_drift``.
    """
    earlier = {one.item: one for one in then.verdicts if one.outcome != "unanswered"}
    pairs = [(earlier[one.item], one) for one in now.verdicts if one.item in earlier and one.outcome != "unanswered"]
    if not pairs:
        return None
    labels = [after.is_good for _, after in pairs]
    found = anchor_drift(
        labels,
        [_verdict(before, label) for (before, _), label in zip(pairs, labels, strict=True)],
        [_verdict(after, label) for (_, after), label in zip(pairs, labels, strict=True)],
    )
    return JudgeDrift(
        n_anchors=len(pairs),
        then_at_us=then.measured_at_us,
        now_at_us=now.measured_at_us,
        then_model_version=then.model_version,
        now_model_version=now.model_version,
        flipped=found.flipped,
        flipped_lower=found.flipped_bounds.lower,
        flipped_upper=found.flipped_bounds.upper,
        accuracy_change=found.accuracy_change,
        accuracy_lower=found.accuracy_change_bounds.lower,
        accuracy_upper=found.accuracy_change_bounds.upper,
        p_value=found.p_value,
        alpha=alpha,
    )


def _verdict(one: LabelledVerdict, label: bool) -> bool:
    """Return the verdict, by the label as it is today; one that cannot be read is wrong."""
    return {"pass": True, "fail": False}.get(one.outcome, not label)
