"""What ``when:`` means: a small tree of tests on facts, compiled to closures that say which leaf decided."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

from trimtab.policy.constraints import Facts
from trimtab.policy.fields import FactField, Value

Operator = Literal[
    "eq", "ne", "in", "not_in", "lt", "le", "gt", "ge", "prefix", "suffix", "contains", "matches", "exists"
]
Test = Callable[[Facts], tuple[bool, str]]
"""Facts to whether they match, and the leaf that decided."""
Check = Callable[[Value], bool]

MAX_PATTERN = 1000
"""Characters in a ``matches`` pattern; RE2 runs in linear time whatever they are."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One operator on one field."""

    field: FactField
    operator: Operator
    wanted: Any  # a value of the field's kind, or a list of them; checked when the file was read
    check: Check

    def __str__(self) -> str:
        wanted = self.wanted
        if isinstance(wanted, list):
            return f"{self.field.name} {self.operator} [{', '.join(self.field.shown(item) for item in wanted)}]"
        shown = str(wanted).lower() if self.operator == "exists" else self.field.shown(wanted)
        return f"{self.field.name} {self.operator} {shown}"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " and ".join(_grouped(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Node", ...]

    def __str__(self) -> str:
        return " or ".join(_grouped(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Node"

    def __str__(self) -> str:
        return f"not {_grouped(self.part)}"


@dataclass(frozen=True, slots=True)
class Cel:
    """A CEL expression; opaque to lint."""

    source: str
    test: Test

    def __str__(self) -> str:
        return f"cel({' '.join(self.source.split())})"


Node = Leaf | All | AnyOf | Not | Cel


def _grouped(node: Node) -> str:
    return f"({node})" if isinstance(node, All | AnyOf) and len(node.parts) > 1 else str(node)


def leaf(field: FactField, operator: Operator, wanted: Any) -> Leaf:
    """Return one test. ``Any``: the operator says what ``wanted`` is.

    Raises:
        ValueError: ``matches`` with a pattern that RE2 does not accept.
    """
    return Leaf(field, operator, wanted, _check(operator, wanted))


def _check(operator: Operator, wanted: Any) -> Check:  # noqa: C901  # one case an operator
    match operator:
        case "eq":
            return lambda value: value == wanted
        case "ne":
            return lambda value: value != wanted
        case "in":
            members = frozenset(wanted)
            return lambda value: value in members
        case "not_in":
            others = frozenset(wanted)
            return lambda value: value not in others
        case "lt":
            return lambda value: value is not None and value < wanted
        case "le":
            return lambda value: value is not None and value <= wanted
        case "gt":
            return lambda value: value is not None and value > wanted
        case "ge":
            return lambda value: value is not None and value >= wanted
        case "prefix":
            return lambda value: isinstance(value, str) and value.startswith(wanted)
        case "suffix":
            return lambda value: isinstance(value, str) and value.endswith(wanted)
        case "contains":
            return lambda value: isinstance(value, str) and wanted in value
        case "matches":
            return _matches(wanted)
        case "exists":
            return lambda value: (value is not None) == wanted


def _matches(pattern: str) -> Check:
    import re2

    options = re2.Options()
    options.log_errors = False
    if len(pattern) > MAX_PATTERN:
        raise ValueError(f"the pattern has {len(pattern)} characters; {MAX_PATTERN} are allowed")
    try:
        search = re2.compile(pattern, options).search
    except re2.error as exc:
        reason = exc.args[0].decode() if exc.args and isinstance(exc.args[0], bytes) else str(exc)
        raise ValueError(f"{pattern!r} is not an RE2 pattern: {reason}") from exc
    return lambda value: isinstance(value, str) and search(value) is not None


def compiled(node: Node) -> Test:
    """Return the tree as one function: 1 to 3 microseconds for a rule of six leaves, trace included."""
    match node:
        case Leaf():
            return _leaf_test(node)
        case Not():
            return _not_test(compiled(node.part))
        case All():
            return _all_test([compiled(part) for part in node.parts])
        case AnyOf():
            return _any_test([compiled(part) for part in node.parts])
        case Cel():
            return node.test


def _leaf_test(node: Leaf) -> Test:
    get, check, text, shown = attrgetter(node.field.name), node.check, str(node), node.field.shown

    def test(facts: Facts) -> tuple[bool, str]:
        value = get(facts)
        return (True, text) if check(value) else (False, f"{text} (was {shown(value)})")

    return test


def _not_test(inner: Test) -> Test:
    def test(facts: Facts) -> tuple[bool, str]:
        holds, why = inner(facts)
        return not holds, f"not {why}"

    return test


def _all_test(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(facts: Facts) -> tuple[bool, str]:
        held = []
        for part in tests:
            holds, why = part(facts)
            if not holds:
                return False, why
            held.append(why)
        return True, " and ".join(held)

    return test


def _any_test(tests: Sequence[Test]) -> Test:
    if len(tests) == 1:
        return tests[0]

    def test(facts: Facts) -> tuple[bool, str]:
        failed = []
        for part in tests:
            holds, why = part(facts)
            if holds:
                return True, why
            failed.append(why)
        return False, " and ".join(failed)

    return test
