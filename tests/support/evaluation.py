"""Suites and runs whose outcomes a test chooses."""

from collections.abc import Mapping, Sequence

from trimtab.evaluation import Answer, Case, CaseResult, Run, Suite, user_prompt

Outcome = bool | None
"""Right, wrong, or no answer at all."""


def suite_of(sizes: Mapping[str, int]) -> Suite:
    """Return a suite with so many cases in each stratum; every right answer is ``yes``."""
    cases = [
        Case(case_id=f"{stratum}-{i}", messages=user_prompt(f"{stratum} {i}?"), expected="yes", stratum=stratum)
        for stratum, n in sizes.items()
        for i in range(n)
    ]
    return Suite(name="planted", version="1", cases=tuple(cases))


def run_of(suite: Suite, outcomes: Mapping[str, Sequence[Outcome]], model: str = "p:m", digest: str = "d") -> Run:
    """Return a run with these outcomes, by stratum and in the order of its cases."""
    waiting = {stratum: iter(found) for stratum, found in outcomes.items()}
    results = tuple(_result(case, next(waiting[case.stratum])) for case in suite.cases)
    return Run(
        suite_name=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest,
        plan=suite.plan,
        model=model,
        model_digest=digest,
        scorer="exact_match",
        options={},
        started_at_us=0,
        results=results,
    )


def outcomes_of(*, both: int, candidate_only: int, baseline_only: int, neither: int) -> tuple[list[bool], list[bool]]:
    """Return the baseline's and the candidate's outcomes with these counts."""
    counts = ((True, True, both), (False, True, candidate_only), (True, False, baseline_only), (False, False, neither))
    pairs = [(baseline, candidate) for baseline, candidate, n in counts for _ in range(n)]
    return [baseline for baseline, _ in pairs], [candidate for _, candidate in pairs]


def _result(case: Case, outcome: Outcome) -> CaseResult:
    if outcome is None:
        return CaseResult(case_id=case.case_id, stratum=case.stratum, error="deadline_passed")
    answer = Answer(text="yes" if outcome else "no")
    return CaseResult(case_id=case.case_id, stratum=case.stratum, answer=answer, score=float(outcome))
