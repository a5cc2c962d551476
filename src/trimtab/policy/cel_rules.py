"""``when:`` as a CEL expression, for rules that need arithmetic. Needs the extra ``cel``."""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Final

import msgspec

from trimtab.core import Sensitivity
from trimtab.policy.constraints import Facts
from trimtab.policy.expression import Cel
from trimtab.policy.fields import FIELDS

MAX_SOURCE = 2000
FUNCTIONS: Final = frozenset(
    {"startsWith", "endsWith", "contains", "matches", "size", "int", "double", "string", "min", "max"}
)
"""Functions a rule may call, besides operators."""
_MACRO = re.compile(r"\.\s*(all|exists|exists_one|map|filter)\s*\(")
"""Comprehensions are refused: nested, they take exponential time."""
FAILURES: Final = (RuntimeError, TypeError, ValueError, ArithmeticError)
"""What ``common-expression-language`` raises for an expression that cannot be evaluated."""
CONSTANTS: Final = {level.name: int(level) for level in Sensitivity}
"""``sensitivity >= CONFIDENTIAL`` reads better than ``sensitivity >= 2``."""


def cel_rule(source: str) -> Cel:
    """Compile an expression over the facts' fields.

    It is tried once on the default facts, so a type error shows when the file is read. One that shows only on a
    certain call counts as a match: a rule can only narrow, and a guess in the other direction could widen.

    Raises:
        ValueError: the extra is missing, the syntax is wrong, a name is unknown or the answer is not true or false.
    """
    try:
        import cel
    except ImportError as exc:
        raise ValueError(
            "`when` is a CEL expression, and the package for CEL is not installed; "
            'run `pip install "trimtab[cel]"` or write the condition as a mapping'
        ) from exc
    if len(source) > MAX_SOURCE:
        raise ValueError(f"the CEL expression has {len(source)} characters; {MAX_SOURCE} are allowed")
    try:
        program = cel.compile(source)
    except ValueError as exc:
        raise ValueError(f"the CEL expression cannot be read: {_first_line(exc)}") from exc
    macro = _MACRO.search(source)
    if macro is not None:
        raise ValueError(f"the CEL expression uses `{macro[1]}`; rules have no lists to walk over")
    _check_names(program.variables(), program.functions())

    def evaluate(facts: Facts) -> object:
        return program.execute({**msgspec.structs.asdict(facts), **CONSTANTS})

    _check_answer(evaluate)

    def test(facts: Facts) -> tuple[bool, str]:
        try:
            answer = evaluate(facts)
        except FAILURES as exc:
            return True, f"{text} failed ({_first_line(exc)}), which counts as a match"
        if not isinstance(answer, bool):
            return True, f"{text} is not true or false, which counts as a match"
        return answer, text

    rule = Cel(source, test)
    text = str(rule)
    return rule


def _check_names(variables: Iterable[str], functions: Iterable[str]) -> None:
    for name in variables:
        if name not in FIELDS and name not in CONSTANTS:
            near = get_close_matches(name, [*FIELDS, *CONSTANTS], n=1)
            suggestion = f"; did you mean {near[0]!r}?" if near else f"; known are {', '.join(FIELDS)}"
            raise ValueError(f"the CEL expression names {name!r}, which is no field of a call{suggestion}")
    for name in functions:
        is_operator = not name[0].isalpha()
        if not is_operator and name not in FUNCTIONS:
            raise ValueError(f"the CEL expression calls {name!r}; rules may call {', '.join(sorted(FUNCTIONS))}")


def _check_answer(evaluate: Callable[[Facts], object]) -> None:
    try:
        answer = evaluate(Facts())
    except FAILURES as exc:
        raise ValueError(f"the CEL expression fails on a plain call: {_first_line(exc)}") from exc
    if not isinstance(answer, bool):
        raise ValueError(f"the CEL expression gives {answer!r}, not true or false")


def _first_line(exc: Exception) -> str:
    return str(exc).splitlines()[0] if str(exc) else type(exc).__name__
