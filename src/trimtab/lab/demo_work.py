"""The demo's office: which work arrives, from which application, how much of it, and how good it has to be."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.lab.office import TASKS, OfficeCase, Stratum, office_cases
from trimtab.workloads import TaskType, WorkloadClass

FIRST_FRACTION = 2 / 3
"""Share of the calls that go under the policy of today; the rest is fresh under the one that follows from them."""
LEAST_CALLS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One workload."""

    name: str
    app: str
    stratum: Stratum
    tasks: frozenset[str]
    """Of the generator."""
    task_types: tuple[TaskType, ...]
    """By which its calls are recognised among those of its app."""
    workload_class: WorkloadClass
    share: float
    """Of all calls."""
    quality_bar: float
    """Share of right answers that it needs."""
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkCase:
    """One prompt to send."""

    work: Work
    case: OfficeCase

    @property
    def prompt_id(self) -> str:
        """Unique in the demo."""
        return f"{self.work.name}-{self.case.case_id}"


def _work(
    name: str,
    app: str,
    stratum: Stratum,
    tasks: Sequence[str] | None,
    task_types: tuple[TaskType, ...],
    *,
    share: float,
    bar: float,
    meaning: str,
) -> Work:
    every = frozenset(task.name for task in TASKS if task.stratum == stratum)
    return Work(
        name=name,
        app=app,
        stratum=stratum,
        tasks=every if tasks is None else frozenset(tasks),
        task_types=task_types,
        workload_class="reasoning" if stratum == "reasoning" else "routine",
        share=share,
        quality_bar=bar,
        meaning=meaning,
    )


WORK: tuple[Work, ...] = (
    _work(
        "ticket-triage",
        "helpdesk",
        "routine",
        ("ticket-category", "ticket-urgency"),
        ("classification",),
        share=0.35,
        bar=0.9,
        meaning="topic and urgency of a customer's message",
    ),
    _work(
        "order-extraction",
        "orders",
        "routine",
        ("order-fields", "plain-date", "plain-amount"),
        ("extraction",),
        share=0.35,
        bar=0.9,
        meaning="names, numbers, dates and amounts in orders",
    ),
    _work(
        "order-summaries",
        "orders",
        "routine",
        ("order-summary",),
        ("summarisation",),
        share=0.08,
        bar=0.9,
        meaning="an order on one line",
    ),
    _work(
        "office-sums",
        "accounts",
        "reasoning",
        None,
        ("math", "reasoning"),
        share=0.12,
        bar=0.8,
        meaning="totals, due dates, stock, hours and offers",
    ),
    _work(
        "house-records",
        "records",
        "drafting",
        None,
        ("extraction",),
        share=0.05,
        bar=0.8,
        meaning="records in the house's own form, which no model was taught",
    ),
    _work(
        "odd-letters",
        "mailroom",
        "edge",
        None,
        ("extraction",),
        share=0.05,
        bar=0.8,
        meaning="rare forms, corrections and contradictions",
    ),
)


def draw_work(n_calls: int, seed: int) -> tuple[list[WorkCase], list[WorkCase]]:
    """Draw the demo's prompts, no two of them the same; their sentences are of the split that no model was trained on.

    Args:
        n_calls: At least ``LEAST_CALLS``.
        seed: Of the cases and of their order.

    Returns:
        The first part and the fresh one, each with every workload in it.

    Raises:
        ValueError: there are too few calls for all workloads.
    """
    if n_calls < LEAST_CALLS:
        raise ValueError(f"{n_calls} calls are too few for {len(WORK)} workloads twice; {LEAST_CALLS} are enough")
    dice = random.Random(seed)
    first: list[WorkCase] = []
    fresh: list[WorkCase] = []
    for work, n in zip(WORK, split_calls(n_calls), strict=True):
        cases = [WorkCase(work=work, case=case) for case in _cases_of(work, n, seed)]
        n_first = min(n - 1, round(n * FIRST_FRACTION))
        first += cases[:n_first]
        fresh += cases[n_first:]
    dice.shuffle(first)
    dice.shuffle(fresh)
    return first, fresh


def split_calls(n_calls: int) -> list[int]:
    """Return how many of the calls each workload gets, at least two; what is left over goes to the first ones.

    >>> split_calls(1000)
    [350, 350, 80, 120, 50, 50]
    """
    counts = [max(2, int(n_calls * work.share)) for work in WORK]
    for place in range(n_calls - sum(counts)):
        counts[place % len(counts)] += 1
    return counts


def _cases_of(work: Work, n_cases: int, seed: int) -> list[OfficeCase]:
    n_tasks = sum(task.stratum == work.stratum for task in TASKS)
    drawn = office_cases("test", n_tasks * (n_cases // len(work.tasks) + 1), seed=seed, strata=(work.stratum,))
    return [case for case in drawn if case.task in work.tasks][:n_cases]
