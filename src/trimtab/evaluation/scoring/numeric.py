"""Answers that must be a number, near enough."""

from decimal import Decimal, localcontext
from typing import Literal

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.numerals import Numeral, Point, numerals, whole_numeral
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, right_if, ungraded


class NumericOptions(Options, frozen=True, kw_only=True):
    """Options of ``numeric``."""

    absolute: float = 0.0
    """Difference that is still right."""
    relative: float = 0.0
    """Difference that is still right, as a fraction of the expected number. The larger of both counts."""
    take: Literal["last", "first", "whole"] = "last"
    """Which number of the answer counts; ``whole`` wants an answer that is a number and at most a unit."""
    percent: Literal["ignore", "hundredths"] = "ignore"
    """Whether 12 % is 12, or 0.12."""
    decimal_point: Point = "."
    """What stands before decimals, in answers and in expected texts."""

    def __post_init__(self) -> None:
        if not (0 <= self.absolute < float("inf") and 0 <= self.relative < float("inf")):
            raise ValueError("a tolerance is a number from 0 up")


def numeric(options: NumericOptions) -> RuleScorer:
    """Return the scorer that compares numbers."""

    def rule(case: Case, answer: str) -> Score:
        expected = whole_numeral(case.expected, options.decimal_point)
        if expected is None:
            return ungraded(f"the case expects {case.expected!r}, which is no number")
        found = _taken(answer, options)
        if found is None:
            return Score(value=0.0, why="the answer holds no number" if options.take != "whole" else "no number alone")
        wanted, given = _value(expected, options), _value(found, options)
        return right_if(_is_near(wanted, given, options), f"{given} instead of {wanted}")

    which = {"last": "last number of the answer", "first": "first number of the answer", "whole": "answer"}
    return RuleScorer(
        spec=spec_of("numeric", options),
        meaning=f"1 when the {which[options.take]} is the expected one within the tolerance, otherwise 0; "
        "higher is better",
        rule=rule,
        is_binary=True,
    )


def _taken(answer: str, options: NumericOptions) -> Numeral | None:
    if options.take == "whole":
        return whole_numeral(answer, options.decimal_point)
    last = None
    for found in numerals(answer, options.decimal_point):
        last = found
        if options.take == "first":
            break
    return last


def _value(numeral: Numeral, options: NumericOptions) -> Decimal:
    as_fraction = numeral.is_percent and options.percent == "hundredths"
    return numeral.value.scaleb(-2) if as_fraction else numeral.value


def _is_near(wanted: Decimal, given: Decimal, options: NumericOptions) -> bool:
    with localcontext(prec=60):
        allowed = max(Decimal(str(options.absolute)), Decimal(str(options.relative)) * abs(wanted))
        return wanted == given or abs(wanted - given) <= allowed
