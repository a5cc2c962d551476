"""Can a condition ever hold, and can two hold for the same call?

A condition becomes alternatives of leaves. Leaves on one field are tried on candidate values: every value they
mention, the neighbours of every number, and combinations of every text. That is exact for numbers, flags, levels and
closed sets, and for text unless ``matches`` is among the leaves; where it is not exact the answer is "it can".
"""

from collections.abc import Iterable, Sequence
from itertools import product
from typing import NamedTuple

from trimtab.policy.expression import All, AnyOf, Cel, Leaf, Node, Not
from trimtab.policy.fields import FactField, Value

MAX_ALTERNATIVES = 512
"""Beyond this many a condition counts as satisfiable, unchecked."""


class Clause(NamedTuple):
    """A leaf or its opposite."""

    leaf: Leaf
    is_negated: bool

    def holds(self, value: Value) -> bool:
        """Return whether the value passes."""
        return self.leaf.check(value) != self.is_negated


Alternative = tuple[Clause, ...]


def can_hold(*nodes: Node) -> bool:
    """Return whether some call fits all the conditions at once."""
    alternatives = _alternatives(All(nodes), is_negated=False)
    return alternatives is None or any(_is_possible(alternative) for alternative in alternatives)


def _alternatives(node: Node, *, is_negated: bool) -> list[Alternative] | None:
    """Return the disjunctive normal form, ``None`` when it is too large."""
    match node:
        case Leaf():
            return [(Clause(node, is_negated),)]
        case Cel():
            return [()]
        case Not():
            return _alternatives(node.part, is_negated=not is_negated)
    parts = [_alternatives(part, is_negated=is_negated) for part in node.parts]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    if isinstance(node, AnyOf) != is_negated:
        joined = [alternative for part in known for alternative in part]
        return joined if len(joined) <= MAX_ALTERNATIVES else None
    combined: list[Alternative] = [()]
    for part in known:
        if len(combined) * len(part) > MAX_ALTERNATIVES:
            return None
        combined = [(*left, *right) for left, right in product(combined, part)]
    return combined


def _is_possible(alternative: Alternative) -> bool:
    by_field: dict[str, list[Clause]] = {}
    for literal in alternative:
        by_field.setdefault(literal.leaf.field.name, []).append(literal)
    return all(_has_value(literals[0].leaf.field, literals) for literals in by_field.values())


def _has_value(field: FactField, literals: Sequence[Clause]) -> bool:
    if any(all(literal.holds(value) for literal in literals) for value in _candidates(field, literals)):
        return True
    return not field.values and any(literal.leaf.operator == "matches" for literal in literals)


def _candidates(field: FactField, literals: Sequence[Clause]) -> Iterable[Value]:
    if field.is_nullable:
        yield None
    if field.values:
        yield from field.values
    elif field.kind == "flag":
        yield from (False, True)
    elif field.kind == "level":
        yield from range(4)
    elif field.kind == "count":
        yield from _counts(literals)
    else:
        yield from _texts(literals)


def _mentioned(literals: Sequence[Clause]) -> list[Value]:
    values: list[Value] = []
    for literal in literals:
        wanted = literal.leaf.wanted
        values += wanted if isinstance(wanted, list) else [wanted]
    return values


def _counts(literals: Sequence[Clause]) -> Iterable[int]:
    numbers = {0} | {value for value in _mentioned(literals) if isinstance(value, int)}
    return sorted({near for number in numbers for near in (number - 1, number, number + 1) if near >= 0})


def _texts(literals: Sequence[Clause]) -> Iterable[str]:
    """Return the values mentioned and one text built to fit every prefix, part and suffix."""
    yield from (value for value in _mentioned(literals) if isinstance(value, str))

    def parts(operator: str) -> list[str]:
        return [
            literal.leaf.wanted for literal in literals if literal.leaf.operator == operator and not literal.is_negated
        ]

    unlikely = "\ue000"
    prefix = max(parts("prefix"), key=len, default="")
    suffix = max(parts("suffix"), key=len, default="")
    yield unlikely.join([prefix, *parts("contains"), suffix])
    yield prefix + unlikely + suffix
