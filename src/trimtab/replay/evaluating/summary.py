"""A run in figures: quality with its interval by model, task and stratum, failures by code, cost and times."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from trimtab.evaluation import Case, CaseResult, Suite
from trimtab.routing import Estimate
from trimtab.stats import mean_interval_from_sums
from trimtab.store import EvaluationStore, StoredRun


class TaskScore(msgspec.Struct, frozen=True, kw_only=True):
    """What a run achieved on the cases of one task and stratum."""

    task_type: str
    stratum: str
    n_cases: int
    quality: Estimate | None
    """``None`` where no case has a verdict."""
    n_failed: int
    """Results without an answer; they count as wrong."""


class RunSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A run in figures. Money is what this run spent: an answer from the cache cost it nothing."""

    run_id: str
    model: str
    scorer: str
    state: str
    n_expected: int
    n_results: int
    n_answered: int
    n_empty: int
    """Answers without a character."""
    n_cached: int
    n_ungraded: int
    """Answers that the scorer could not grade; they are in no mean."""
    errors: Mapping[str, int]
    """Results without an answer, by error code."""
    quality: Estimate | None
    """Mean over the cases, each by the mean of its samples, with 95 % bounds: Wilson's where all are 0 or 1."""
    tasks: tuple[TaskScore, ...]
    answered_by: Mapping[str, int]
    """Answers by model, where the gateway said who answered."""
    cost_nano_usd: int
    """Of the answers whose price is known."""
    n_unpriced: int
    """Answers asked for now whose price is unknown."""
    grading_cost_nano_usd: int
    energy_wh: float | None
    latency_p50_ms: float | None
    ttft_p50_ms: float | None

    @property
    def n_failed(self) -> int:
        """Results without an answer."""
        return self.n_results - self.n_answered

    @property
    def is_silent(self) -> bool:
        """Whether the model answered nothing at all: every result is a failure or an empty text."""
        return self.n_results > 0 and self.n_answered == self.n_empty


def summarise(store: EvaluationStore, run: StoredRun, suite: Suite) -> RunSummary:
    """Add up a run's results, a page at a time.

    Args:
        store: Where they are.
        run: Whose.
        suite: Its suite.

    Raises:
        StoreError: the database failed.
    """
    sums = _Sums({case.case_id: case for case in suite.cases})
    for each in store.results(run.run_id):
        sums.add(each.result)
    return sums.summary(store.find(run.run_id))


class _Sums:
    def __init__(self, cases: Mapping[str, Case]) -> None:
        self._cases = cases
        self._verdicts: dict[str, list[float]] = defaultdict(list)
        self._failures: Counter[tuple[str, str]] = Counter()
        self._counts: Counter[str] = Counter()
        self._errors: Counter[str] = Counter()
        self._answered_by: Counter[str] = Counter()
        self._energy_wh: list[float] = []
        self._latencies_ms: list[float] = []
        self._ttfts_ms: list[float] = []

    def add(self, result: CaseResult) -> None:
        """Count one result; one without an answer is wrong, and one that nobody could grade is neither."""
        self._counts["results"] += 1
        self._counts["grading_cost"] += result.grading_cost_nano_usd or 0
        verdict = result.score
        if result.answer is None:
            verdict = 0.0
            self._errors[result.error or "unknown"] += 1
            self._failures[self._group(result.case_id)] += 1
        else:
            self._add_answer(result)
        if verdict is None:
            self._counts["ungraded"] += 1
        else:
            self._verdicts[result.case_id].append(verdict)

    def _add_answer(self, result: CaseResult) -> None:
        answer = result.answer
        assert answer is not None
        self._counts["answered"] += 1
        self._counts["empty"] += not answer.text
        self._counts["cached"] += result.is_cached
        if answer.model is not None:
            self._answered_by[answer.model] += 1
        if answer.latency_ms is not None:
            self._latencies_ms.append(answer.latency_ms)
        if answer.ttft_ms is not None:
            self._ttfts_ms.append(answer.ttft_ms)
        if not result.is_cached:
            self._counts["cost"] += answer.cost_nano_usd or 0
            self._counts["unpriced"] += answer.cost_nano_usd is None
            if answer.energy_wh is not None:
                self._energy_wh.append(answer.energy_wh)

    def summary(self, run: StoredRun) -> RunSummary:
        """Return the figures."""
        groups: dict[tuple[str, str], list[str]] = defaultdict(list)
        for case_id in self._cases:
            groups[self._group(case_id)].append(case_id)
        return RunSummary(
            run_id=run.run_id,
            model=run.plan.model,
            scorer=run.plan.scorers[0].label,
            state=run.state,
            n_expected=run.n_expected,
            n_results=self._counts["results"],
            n_answered=self._counts["answered"],
            n_empty=self._counts["empty"],
            n_cached=self._counts["cached"],
            n_ungraded=self._counts["ungraded"],
            errors=dict(self._errors.most_common()),
            quality=self._quality(self._cases),
            tasks=tuple(
                TaskScore(
                    task_type=task_type,
                    stratum=stratum,
                    n_cases=len(case_ids),
                    quality=self._quality(case_ids),
                    n_failed=self._failures[task_type, stratum],
                )
                for (task_type, stratum), case_ids in sorted(groups.items())
            ),
            answered_by=dict(self._answered_by.most_common()),
            cost_nano_usd=self._counts["cost"],
            n_unpriced=self._counts["unpriced"],
            grading_cost_nano_usd=self._counts["grading_cost"],
            energy_wh=sum(self._energy_wh) if self._energy_wh else None,
            latency_p50_ms=statistics.median(self._latencies_ms) if self._latencies_ms else None,
            ttft_p50_ms=statistics.median(self._ttfts_ms) if self._ttfts_ms else None,
        )

    def _group(self, case_id: str) -> tuple[str, str]:
        case = self._cases[case_id]
        return case.task_type, case.stratum

    def _quality(self, case_ids: Iterable[str]) -> Estimate | None:
        means = [statistics.fmean(found) for case_id in case_ids if (found := self._verdicts.get(case_id))]
        return quality_of(len(means), sum(means), sum(mean * mean for mean in means))


def quality_of(n_cases: int, score_sum: float, score_square_sum: float) -> Estimate | None:
    """Return a mean with its 95 % bounds from sums over cases; ``None`` without a case."""
    if not n_cases:
        return None
    mean, lower, upper = mean_interval_from_sums(n_cases, score_sum, score_square_sum)
    return Estimate(mean=mean, lower=lower, upper=upper, n_samples=n_cases)
