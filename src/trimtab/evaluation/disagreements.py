"""The cases on which two models differ most: where to look before believing a number."""

from collections.abc import Iterator, Mapping

import msgspec

from trimtab.evaluation.case import Case
from trimtab.evaluation.pairing import CasePair, by_group, pair_runs, stratum_of
from trimtab.evaluation.running import CaseResult, Run

MAX_TEXT = 2_000
"""Characters of a text that are shown; a whole document is no help in a table."""


class Disagreement(msgspec.Struct, frozen=True, kw_only=True):
    """One case and what both made of it. Texts are cut after 2,000 characters; ``None`` is unknown, or no answer."""

    case_id: str
    stratum: str
    task_type: str
    baseline_score: float
    """Means over samples, 0 to 1, where no answer and no grade count as 0."""
    candidate_score: float
    prompt: str | None
    """The last turn; ``None`` where the suite is not at hand."""
    expected: str | None
    baseline_answer: str | None
    """Of the first sample."""
    candidate_answer: str | None
    baseline_why: str | None
    """What the scorer said, or the error that stood in the answer's place."""
    candidate_why: str | None


def disagreements(
    baseline: Run, candidate: Run, *, cases: Mapping[str, Case] | None = None, limit: int = 20
) -> tuple[Disagreement, ...]:
    """Return the cases that tell the models apart most, from each stratum in turn so that no large one hides a small.

    Within a stratum the largest differences come first, at equal size the candidate's losses before its gains.

    Args:
        baseline: What the candidate was compared with.
        candidate: What was compared.
        cases: The suite's cases by id, for prompts and expected answers; ``None`` where it is not at hand.
        limit: How many at most.

    Raises:
        ConfigurationError: the runs cannot be paired.
    """
    differing = [pair for pair in pair_runs(baseline, candidate) if pair.candidate.score != pair.baseline.score]
    queues = [iter(sorted(group, key=_rank)) for _, group in by_group(differing, stratum_of)]
    first = [{r.case_id: r for r in reversed(run.results)} for run in (baseline, candidate)]
    chosen = [pair for pair, _ in zip(_in_turn(queues), range(limit), strict=False)]
    return tuple(
        _shown(pair, first[0][pair.case_id], first[1][pair.case_id], (cases or {}).get(pair.case_id)) for pair in chosen
    )


def _rank(pair: CasePair) -> tuple[float, bool, str]:
    difference = pair.candidate.score - pair.baseline.score
    return -abs(difference), difference > 0, pair.case_id


def _in_turn(queues: list[Iterator[CasePair]]) -> Iterator[CasePair]:
    while queues:
        for queue in list(queues):
            pair = next(queue, None)
            if pair is None:
                queues.remove(queue)
            else:
                yield pair


def _shown(pair: CasePair, baseline: CaseResult, candidate: CaseResult, case: Case | None) -> Disagreement:
    return Disagreement(
        case_id=pair.case_id,
        stratum=pair.stratum,
        task_type=pair.task_type,
        baseline_score=pair.baseline.score,
        candidate_score=pair.candidate.score,
        prompt=None if case is None else _cut(case.messages[-1].content),
        expected=None if case is None else _cut(case.expected),
        baseline_answer=None if baseline.answer is None else _cut(baseline.answer.text),
        candidate_answer=None if candidate.answer is None else _cut(candidate.answer.text),
        baseline_why=_cut(baseline.error or baseline.why),
        candidate_why=_cut(candidate.error or candidate.why),
    )


def _cut(text: str | None) -> str | None:
    return text if text is None or len(text) <= MAX_TEXT else text[:MAX_TEXT] + " ..."
