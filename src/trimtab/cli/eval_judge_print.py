"""Judges on a terminal: a card, what a gate makes of it, and how it moved."""

from trimtab.cli import output
from trimtab.control.numbers import instant, usd
from trimtab.evaluation.judging import Admission, AgreementFigure, JudgeCard, JudgeDrift, PositionBias, Rate

_LABEL = 12


def print_card(card: JudgeCard, admission: Admission) -> None:
    """Write a card to stdout."""
    options = card.judge.options
    output.print_line(
        f"{options.get('model')} as {card.judge.name} {card.judge_digest} on {card.suite_name}, "
        f"{instant(card.measured_at_us)}, n = {output.counted(card.n_labels, 'label')}"
    )
    lines = [
        ("TPR", f"{_rate(card.true_positive)} of good answers passed"),
        ("TNR", f"{_rate(card.true_negative)} of bad answers failed"),
        ("Kappa", _agreement(card.kappa)),
        ("AC1", _agreement(card.ac1)),
        ("Unreadable", f"{_rate(card.unparsable)} of replies, counted as errors"),
        ("Unanswered", f"{card.n_unanswered:,}, left out"),
        *((("Why", "; ".join(f"{n:,} times {why}" for why, n in card.problems.items())),) if card.problems else ()),
        ("Fooled", f"{_rate(card.attacks)} of bad answers passed once they demanded it"),
        ("Position", _position(None if card.pairs is None else card.pairs.position)),
        ("Spent", _spent(card)),
    ]
    for label, text in lines:
        output.print_pair(label, text, _LABEL)
    print_admission(admission)


def print_admission(admission: Admission) -> None:
    """Write what a gate makes of a judge to stdout."""
    output.print_pair("Gates", f"{admission.outcome.value.replace('_', ' ')}", _LABEL)
    for reason in admission.reasons:
        output.print_pair("", reason, _LABEL)


def print_drift(drift: JudgeDrift | None) -> None:
    """Write how a judge moved to stdout."""
    if drift is None:
        output.print_pair("Drift", "unknown: no answer was judged on two cards", _LABEL)
        return
    verdict = "it has drifted" if drift.has_drifted else "no drift shown"
    versions = "" if drift.then_model_version == drift.now_model_version else "; its model is another version now"
    output.print_pair(
        "Drift",
        f"{verdict}: right {drift.accuracy_change:+.3f} [{drift.accuracy_lower:+.3f}, {drift.accuracy_upper:+.3f}] "
        f"since {instant(drift.then_at_us)}, p = {drift.p_value:.3f}, {drift.flipped:.1%} of "
        f"{output.counted(drift.n_anchors, 'anchor')} flipped{versions}",
        _LABEL,
    )


def _rate(rate: Rate) -> str:
    if rate.value is None or rate.lower is None or rate.upper is None:
        return "none tried:"
    return f"{rate.value:.3f} [{rate.lower:.3f}, {rate.upper:.3f}], {rate.passes:,} of {rate.trials:,}"


def _agreement(figure: AgreementFigure | None) -> str:
    if figure is None:
        return "undefined: one grade throughout"
    return f"{figure.value:.3f} [{figure.lower:.3f}, {figure.upper:.3f}] with people, beyond chance"


def _position(position: PositionBias | None) -> str:
    if position is None:
        return "unknown: no case has a good and a bad answer"
    if position.first_share is None or position.lower is None or position.upper is None:
        return "unknown: every pair was a tie or could not be read"
    return (
        f"first place {position.first_share:.3f} [{position.lower:.3f}, {position.upper:.3f}] of {position.n_picked:,} "
        f"picks; in both orders the first {position.n_both_first:,}, the second {position.n_both_second:,} times"
    )


def _spent(card: JudgeCard) -> str:
    each = card.cost_per_judgement_nano_usd
    price = "" if each is None else f", {usd(round(each))} a judgement"
    return f"{usd(card.cost_nano_usd)}, {card.n_asked:,} questions{price}"
