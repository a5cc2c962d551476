"""Answers that must be the expected JSON value, however it is written."""

from trimtab.evaluation.scoring.json_rule import json_rule
from trimtab.evaluation.scoring.json_values import Json, difference, in_order
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, right_if


class JsonEqualOptions(Options, frozen=True, kw_only=True):
    """Options of ``json_equal``."""

    alone: bool = False
    """Whether the answer must be JSON and nothing else; otherwise a fenced block or JSON within prose will do."""
    list_order: bool = True
    """Whether lists must have the same order."""


def json_equal(options: JsonEqualOptions) -> RuleScorer:
    """Return the scorer that compares JSON values."""

    def compare(expected: Json, found: Json) -> Score:
        values = (expected, found) if options.list_order else (in_order(expected), in_order(found))
        different = difference(*values)
        return right_if(different is None, str(different))

    return RuleScorer(
        spec=spec_of("json_equal", options),
        meaning="1 when the answer's JSON has the expected value, spacing and order of keys aside, otherwise 0; "
        "higher is better",
        rule=json_rule(compare, alone=options.alone),
        is_binary=True,
    )
