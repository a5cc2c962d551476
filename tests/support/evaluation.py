"""Suites and runs whose outcomes a test chooses."""

from collections.abc import Mapping, Sequence

import msgspec

from trimtab.evaluation import Answer, Case, CaseResult, Plan, Run, Suite, user_prompt

NO_PLAN = Plan()

Outcome = bool | None
"""Right, wrong, or no answer at all."""


def suite_of(sizes: Mapping[str, int], plan: Plan = NO_PLAN) -> Suite:
    """Return a suite with so many cases in each stratum; every right answer is ``yes``."""
    cases = [
        Case(case_id=f"{stratum}-{i}", messages=user_prompt(f"{stratum} {i}?"), expected="yes", stratum=stratum)
        for stratum, n in sizes.items()
        for i in range(n)
    ]
    return Suite(name="planted", version="1", cases=tuple(cases), plan=plan)


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


def graded_run(
    suite: Suite,
    scores: Mapping[str, Sequence[float | None]],
    *,
    model: str = "p:m",
    cost_nano_usd: int | None = None,
    cluster_size: int = 1,
) -> Run:
    """Return a run with these scores of degrees by stratum; ``None`` is an answer that nobody could grade.

    As many cases in a row as ``cluster_size`` are about the same thing.
    """
    results = [
        CaseResult(
            case_id=f"{stratum}-{i}",
            stratum=stratum,
            cluster=None if cluster_size == 1 else f"{stratum} {i // cluster_size}",
            answer=Answer(text="something", cost_nano_usd=cost_nano_usd),
            score=score,
        )
        for stratum, found in scores.items()
        for i, score in enumerate(found)
    ]
    run = run_of(suite, {stratum: [True] * len(found) for stratum, found in scores.items()}, model)
    return msgspec.structs.replace(run, scorer="token_f1", is_binary=False, results=tuple(results))


def priced(run: Run, *, cost_nano_usd: int | None, energy_wh: float | None = None) -> Run:
    """Return the run with this cost and energy of each answer, a little more for every tenth."""
    results = tuple(
        result
        if result.answer is None
        else msgspec.structs.replace(
            result,
            answer=msgspec.structs.replace(
                result.answer,
                cost_nano_usd=None if cost_nano_usd is None else cost_nano_usd * (2 if i % 10 == 0 else 1),
                energy_wh=energy_wh,
            ),
        )
        for i, result in enumerate(run.results)
    )
    return msgspec.structs.replace(run, results=results)


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
