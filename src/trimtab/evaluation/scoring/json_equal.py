"""Answers that must be the expected JSON value, however it is written."""

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.json_values import difference, find_json, in_order
from trimtab.evaluation.scoring.options import Options, spec_of
from trimtab.evaluation.scoring.scorer import RuleScorer, Score, right_if, ungraded


class JsonEqualOptions(Options, frozen=True, kw_only=True):
    """Options of ``json_equal``."""

    alone: bool = False
    """Whether the answer must be JSON and nothing else; otherwise a fenced block or JSON within prose will do."""
    list_order: bool = True
    """Whether lists must have the same order."""


def json_equal(options: JsonEqualOptions) -> RuleScorer:
    """Return the scorer that compares JSON values."""

    def rule(case: Case, answer: str) -> Score:
        wanted = find_json(case.expected, alone=True)
        if wanted is None:
            return ungraded("what the case expects is no JSON")
        found = find_json(answer, alone=options.alone)
        if found is None:
            return Score(value=0.0, why="the answer is no JSON" if options.alone else "the answer holds no JSON")
        values = (wanted.value, found.value) if options.list_order else (in_order(wanted.value), in_order(found.value))
        different = difference(*values)
        return right_if(different is None, str(different))

    return RuleScorer(
        spec=spec_of("json_equal", options),
        meaning="1 when the answer's JSON has the expected value, spacing and order of keys aside, otherwise 0; "
        "higher is better",
        rule=rule,
        is_binary=True,
    )
