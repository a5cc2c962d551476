"""Runs: a model asked every case of a suite, with what it answered, how it was graded and what failed."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Self

import msgspec

from trimtab.core import Clock
from trimtab.core.errors import TrimtabError
from trimtab.evaluation.case import Case, Option
from trimtab.evaluation.run_plan import ScorerUse, use_of
from trimtab.evaluation.scoring import Scorer
from trimtab.evaluation.suite import Plan, Suite

DEADLINE_PASSED = "deadline_passed"
"""``CaseResult.error`` of a case that took longer than it may."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a model said to one case."""

    text: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    latency_ms: float | None = None
    ttft_ms: float | None = None
    """Milliseconds until the first token came."""
    cost_nano_usd: int | None = None
    """``None`` when the price is unknown, which is not 0."""
    energy_wh: float | None = None
    call_id: str | None = None
    """Of the gateway's record, where the call went through one."""
    model: str | None = None
    """Who answered; ``None`` for the model that was asked."""
    finish_reason: str | None = None
    """In the provider's words: ``length`` says that the answer was cut at ``max_tokens``."""


Ask = Callable[[Case], Awaitable[Answer]]
"""Puts one case to the model under test; how it gets there is the caller's affair."""


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one case went."""

    case_id: str
    stratum: str
    task_type: str = "unknown"
    cluster: str | None = None
    """Group of cases that stand or fall together; see ``Case.cluster``."""
    sample: int = 0
    """Which of the repeated samples of its case, from 0."""
    answer: Answer | None = None
    """``None`` when there was none."""
    score: float | None = None
    """The scorer's verdict, 0 to 1, higher is better; ``None`` when there was no answer, or none it could grade."""
    why: str | None = None
    """What the scorer has to say about it."""
    error: str | None = None
    """Why there was no answer: an error's ``code``, ``deadline_passed``, or the name of a system error."""
    grading_cost_nano_usd: int | None = None
    """What the grading itself cost; ``None`` when nothing was asked, or when the price is unknown."""
    seed: int | None = None
    """Sent with the request; ``None`` when none was."""
    is_cached: bool = False
    """Whether the answer was given to an earlier run; it cost nothing now."""
    n_tries: int = 1
    """Times that the model was asked, the last one included."""

    @classmethod
    def of(
        cls,
        case: Case,
        *,
        answer: Answer | None = None,
        error: str | None = None,
        score: float | None = None,
        why: str | None = None,
        grading_cost_nano_usd: int | None = None,
        sample: int = 0,
        seed: int | None = None,
        is_cached: bool = False,
        n_tries: int = 1,
    ) -> Self:
        """Return the result of a case, which gives it all that results repeat of theirs."""
        return cls(
            case_id=case.case_id,
            stratum=case.stratum,
            task_type=case.task_type,
            cluster=case.cluster,
            answer=answer,
            error=error,
            score=score,
            why=why,
            grading_cost_nano_usd=grading_cost_nano_usd,
            sample=sample,
            seed=seed,
            is_cached=is_cached,
            n_tries=n_tries,
        )


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One model over one suite. With the suite of this digest it can be made again."""

    suite_name: str
    suite_version: str
    suite_digest: str
    plan: Plan = Plan()
    """The suite's, which its digest covers: by it runs are compared."""
    model: str
    """``provider:model``, or the name of an artifact."""
    model_digest: str | None = None
    """Sha256 of the weights; ``None`` where nobody can know them, as behind a provider's API."""
    model_version: str | None = None
    """Of the model's card."""
    scorer: str
    """Of the cases that name none: its name, with options and version where it has any (``ScorerUse.label``)."""
    scorers: tuple[ScorerUse, ...] = ()
    """Every scorer that graded an answer, the suite's own first; empty in records of earlier versions."""
    is_binary: bool = True
    """Whether every score is 0 or 1, as the scorers promised."""
    options: Mapping[str, Option]
    """Everything else that the answers depend on, such as temperature and seed, with ``deadline_s``."""
    started_at_us: int
    results: tuple[CaseResult, ...]
    """One for each case and sample, in the suite's order, failures included."""
    run_id: str | None = None
    """In the store; ``None`` for a run that is in none."""

    @property
    def n_failed(self) -> int:
        """Results without an answer."""
        return sum(result.answer is None for result in self.results)


async def run_suite(
    suite: Suite,
    ask: Ask,
    *,
    model: str,
    scorer: Scorer,
    clock: Clock,
    model_digest: str | None = None,
    options: Mapping[str, Option] | None = None,
    n_concurrent: int = 4,
    deadline_s: float = 60.0,
) -> Run:
    """Ask a model every case of a suite.

    A case that fails is a result with its error and no score, never a missing one. An error that nobody expected of
    ``ask`` is a bug: it ends the run.

    Args:
        suite: The cases.
        ask: Puts one case to the model.
        model: Name under which the run is recorded.
        scorer: Grades each answer.
        clock: Dates the run.
        model_digest: Sha256 of the weights, where they are known.
        options: What else the answers depend on, recorded as it is.
        n_concurrent: Cases asked at the same time, at least 1.
        deadline_s: Seconds after which a case counts as failed.

    Returns:
        The run, its results in the order of the suite's cases.

    Raises:
        ValueError: ``n_concurrent`` or ``deadline_s`` allows no case at all.
        ExceptionGroup: ``ask`` or the scorer raised something else than ``TrimtabError`` or ``OSError``.
    """
    if n_concurrent < 1 or not deadline_s > 0:
        raise ValueError(f"{n_concurrent} cases at a time within {deadline_s} s each make no run")
    started_at_us = clock.now_us()
    found: dict[str, CaseResult] = {}
    waiting = iter(suite.cases)
    async with asyncio.TaskGroup() as workers:
        for _ in range(min(n_concurrent, len(suite.cases))):
            workers.create_task(_work(waiting, found, ask, scorer, deadline_s))
    return Run(
        suite_name=suite.name,
        suite_version=suite.version,
        suite_digest=suite.digest,
        plan=suite.plan,
        model=model,
        model_digest=model_digest,
        is_binary=scorer.is_binary,
        scorer=use_of(scorer).label,
        scorers=(use_of(scorer),),
        options={**(options or {}), "deadline_s": deadline_s},
        started_at_us=started_at_us,
        results=tuple(found[case.case_id] for case in suite.cases),
    )


async def _work(
    waiting: Iterator[Case], found: dict[str, CaseResult], ask: Ask, scorer: Scorer, deadline_s: float
) -> None:
    for case in waiting:
        found[case.case_id] = await _result(case, ask, scorer, deadline_s)


async def _result(case: Case, ask: Ask, scorer: Scorer, deadline_s: float) -> CaseResult:
    try:
        async with asyncio.timeout(deadline_s):
            answer = await ask(case)
    except TimeoutError:
        return CaseResult.of(case, error=DEADLINE_PASSED)
    except TrimtabError as exc:
        return CaseResult.of(case, error=exc.code)
    except OSError as exc:
        return CaseResult.of(case, error=type(exc).__name__)
    found = await scorer.score(case, answer.text)
    return CaseResult.of(
        case, answer=answer, score=found.value, why=found.why, grading_cost_nano_usd=found.cost_nano_usd
    )
