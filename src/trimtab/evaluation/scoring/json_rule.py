"""Grading by JSON: what the answer holds beside what the case expects."""

from collections.abc import Callable

from trimtab.evaluation.case import Case
from trimtab.evaluation.scoring.json_values import Json, find_json
from trimtab.evaluation.scoring.scorer import Score, ungraded


def json_rule(compare: Callable[[Json, Json], Score], *, alone: bool) -> Callable[[Case, str], Score]:
    """Return the rule that compares the expected value with the answer's, where both are JSON.

    Args:
        compare: Takes the expected value and the found one.
        alone: Whether the answer must be JSON and nothing else.
    """

    def rule(case: Case, answer: str) -> Score:
        expected = find_json(case.expected, alone=True)
        if expected is None:
            return ungraded("what the case expects is no JSON")
        found = find_json(answer, alone=alone)
        return no_json(alone=alone) if found is None else compare(expected.value, found.value)

    return rule


def no_json(*, alone: bool) -> Score:
    """Return the score of an answer in which no JSON was found."""
    return Score(value=0.0, why="the answer is no JSON" if alone else "the answer holds no JSON")
