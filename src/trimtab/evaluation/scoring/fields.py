"""Extraction: which of the expected fields an answer has, and which it made up."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from trimtab.evaluation.scoring.json_rule import json_rule
from trimtab.evaluation.scoring.json_values import Json, kind_of
from trimtab.evaluation.scoring.numerals import whole_numeral
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.overlap import f_measure
from trimtab.evaluation.scoring.scorer import RuleScorer, Score
from trimtab.evaluation.scoring.words import normalise

Leaf = tuple[str, str, str | Decimal]
"""Where a value stands, its type, and the value as it is compared."""


class FieldF1Options(Options, frozen=True, kw_only=True):
    """Options of ``field_f1``."""

    alone: bool = False
    """Whether the answer must be JSON and nothing else; otherwise a fenced block or JSON within prose will do."""
    list_order: bool = False
    """Whether an element of a list must stand at the same place."""
    keep_text: bool = False
    """Whether texts must be equal letter for letter, instead of after normalisation."""


def field_f1(options: FieldF1Options) -> RuleScorer:
    """Return the scorer that compares values field by field."""

    def compare(expected: Json, found: Json) -> Score:
        wanted = Counter(leaves(expected, options))
        given = Counter(leaves(found, options))
        n_shared = shared(wanted, given)
        return Score(
            value=f_measure(n_shared, given.total(), wanted.total()),
            why=f"{n_shared} right of {given.total()} given and {wanted.total()} expected",
        )

    return RuleScorer(
        spec=spec_of("field_f1", options),
        meaning="F1 of the JSON fields that have the expected value; 0 to 1, higher is better",
        rule=json_rule(compare, alone=options.alone),
        is_binary=False,
    )


def leaves(value: Json, options: FieldF1Options, path: str = "$") -> Iterator[Leaf]:
    """Yield the values at the ends of a JSON value, each with its path; what is empty is a value too."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from leaves(inner, options, f"{path}.{key}")
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from leaves(inner, options, f"{path}[{index if options.list_order else ''}]")
    elif isinstance(value, str):
        yield path, "string", value if options.keep_text else normalise(value)
    elif isinstance(value, Decimal):
        yield path, "number", value
    else:
        yield path, kind_of(value), str(value)


def shared(wanted: Counter[Leaf], given: Counter[Leaf]) -> int:
    """Count the fields that both have. A text that is a number equals that number, and no other text."""
    same = wanted & given
    left_wanted, left_given = wanted - same, given - same
    as_texts = _numbers(left_wanted) & _read(left_given)
    as_numbers = _read(left_wanted) & _numbers(left_given)
    return same.total() + as_texts.total() + as_numbers.total()


def _numbers(fields: Counter[Leaf]) -> Counter[tuple[str, Decimal]]:
    return Counter(
        {
            (path, value): n
            for (path, kind, value), n in fields.items()
            if kind == "number" and not isinstance(value, str)
        }
    )


def _read(fields: Counter[Leaf]) -> Counter[tuple[str, Decimal]]:
    found: Counter[tuple[str, Decimal]] = Counter()
    for (path, kind, value), n in fields.items():
        numeral = whole_numeral(value, ".") if kind == "string" and isinstance(value, str) else None
        if numeral is not None:
            found[path, numeral.value] += n
    return found
