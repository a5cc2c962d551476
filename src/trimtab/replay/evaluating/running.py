"""Filling a run: every case that has no result yet is asked, graded and written down."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from trimtab.core.errors import TrimtabError
from trimtab.evaluation import (
    Answer,
    Asked,
    AskRequest,
    CaseResult,
    Patience,
    Request,
    RunPlan,
    Suite,
    ask_patiently,
)
from trimtab.replay.evaluating.grading import Grader
from trimtab.replay.evaluating.writing import ResultWriter
from trimtab.store import EvaluationStore, Position, Recorded, StoredRun

AHEAD = 256
"""Requests that are looked up in the cache at a time."""
DISCOURAGED = 8
"""After so many requests in a row without an answer each next one is tried only once, until one succeeds."""


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run has come, for whoever watches."""

    n_done: int
    """Results, those of an earlier attempt included."""
    n_expected: int
    n_asked: int
    """Results that came of asking in this attempt."""
    n_cached: int
    n_failed: int
    cost_nano_usd: int
    """Spent in this attempt, where prices are known."""


OnDone = Callable[[Done], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a run goes about it. None of it changes a score."""

    n_concurrent: int = 4
    """Requests under way at a time, at least 1."""
    patience: Patience = field(default_factory=Patience)
    has_cache: bool = True
    """Whether answers that earlier runs got to equal requests are taken over."""


async def fill_run(
    store: EvaluationStore,
    run: StoredRun,
    suite: Suite,
    ask: AskRequest,
    grader: Grader,
    manner: Manner,
    *,
    on_done: OnDone = lambda done: None,
) -> None:
    """Bring a run to its end. Whatever breaks it off, a second call goes on where it stood.

    Answers that a broken-off attempt left without a score are graded first; nothing that is recorded is asked again.

    Args:
        store: Where the run is.
        run: Which one; the caller holds it.
        suite: Its suite.
        ask: Puts a request to its model.
        grader: Its scorers.
        manner: How many at a time, how patiently, with or without cache.
        on_done: Told after each result.

    Raises:
        ConfigurationError: a scorer gave something that is no score.
        StoreError: the database failed.
        ValueError: ``manner`` allows no request at all.
    """
    if manner.n_concurrent < 1 or not manner.patience.deadline_s > 0:
        raise ValueError(f"{manner.n_concurrent} at a time within {manner.patience.deadline_s} s make no run")
    await grade_waiting(store, run, suite, grader)
    recorded = await asyncio.to_thread(store.recorded, run.run_id)
    work = _Work(run.plan, run.n_expected, ask, grader, manner, on_done, n_done=len(recorded))
    feed = _Feed(store, run.plan, _missing(suite, run.plan, recorded), has_cache=manner.has_cache)
    writer = ResultWriter(store, run.run_id)
    n_workers = min(manner.n_concurrent, run.n_expected - len(recorded))
    try:
        await _all_written(writer, [work.go_on(feed, writer) for _ in range(n_workers)])
    except ExceptionGroup as group:
        raise first_of(group) from group
    await asyncio.to_thread(_finish, store, run)


async def _all_written(writer: ResultWriter, workers: Sequence[Coroutine[None, None, None]]) -> None:
    """Run the workers with the writer beside them; a failure of either ends both, and what is left is written."""
    try:
        async with asyncio.TaskGroup() as beside:
            writing = beside.create_task(writer.write_forever())
            async with asyncio.TaskGroup() as working:
                for worker in workers:
                    working.create_task(worker)
            writing.cancel()
    finally:
        writer.write_rest()


async def grade_waiting(store: EvaluationStore, run: StoredRun, suite: Suite, grader: Grader) -> None:
    """Grade answers that were kept without a score."""
    cases = {case.case_id: case for case in suite.cases}
    waiting = await asyncio.to_thread(lambda: list(store.results(run.run_id, only_unscored=True)))
    graded = [
        each._replace(result=await grader.grade(cases[each.result.case_id], each.result), is_scored=True)
        for each in waiting
    ]
    await asyncio.to_thread(store.add_scores, run.run_id, graded)


def _finish(store: EvaluationStore, run: StoredRun) -> None:
    if len(store.recorded(run.run_id)) == run.n_expected:
        store.finish(run.run_id)


def _missing(suite: Suite, plan: RunPlan, recorded: set[Position]) -> Iterator[Request]:
    """Yield what has no result yet, the first sample of every case before the second of any."""
    for sample in range(plan.n_samples):
        seed = plan.seed_of(sample)
        for case in suite.cases:
            if Position(case.case_id, sample) not in recorded:
                yield Request(case, sample, seed)


class _Item(msgspec.Struct, frozen=True):
    request: Request
    digest: str
    cached: Answer | None


class _Feed:
    """Hands out requests one by one, looked up in the cache a few hundred at a time."""

    def __init__(self, store: EvaluationStore, plan: RunPlan, requests: Iterator[Request], *, has_cache: bool) -> None:
        self._store, self._plan, self._requests = store, plan, requests
        self._has_cache = has_cache and not plan.is_routed
        self._ready: deque[_Item] = deque()
        self._lock = asyncio.Lock()

    async def take(self) -> _Item | None:
        """Return the next one; ``None`` at the end."""
        if not self._ready:
            async with self._lock:
                if not self._ready:
                    await self._fetch()
        return self._ready.popleft() if self._ready else None

    async def _fetch(self) -> None:
        some = list(islice(self._requests, AHEAD))
        digests = [self._plan.request_digest(each.case, each.sample) for each in some]
        known: Mapping[str, Answer] = {}
        if self._has_cache and some:
            known = await asyncio.to_thread(self._store.cached, digests)
        self._ready.extend(_Item(each, digest, known.get(digest)) for each, digest in zip(some, digests, strict=True))


@dataclass(slots=True)
class _Work:
    plan: RunPlan
    n_expected: int
    ask: AskRequest
    grader: Grader
    manner: Manner
    on_done: OnDone
    n_done: int
    n_asked: int = 0
    n_cached: int = 0
    n_failed: int = 0
    n_failed_in_a_row: int = 0
    cost_nano_usd: int = 0
    _once: Patience = field(init=False)

    def __post_init__(self) -> None:
        patience = self.manner.patience
        self._once = Patience(deadline_s=patience.deadline_s, max_tries=1)

    async def go_on(self, feed: _Feed, writer: ResultWriter) -> None:
        """Take requests until none is left."""
        while (item := await feed.take()) is not None:
            await writer.wait_for_room()
            await self._keep(item, await self._result(item), writer)
            self.on_done(self._state())

    async def _result(self, item: _Item) -> CaseResult:
        if item.cached is not None:
            self.n_cached += 1
            return _result_of(item.request, Asked(item.cached, None, 1), is_cached=True)
        is_discouraged = self.n_failed_in_a_row >= DISCOURAGED
        asked = await ask_patiently(self.ask, item.request, self._once if is_discouraged else self.manner.patience)
        self.n_asked += 1
        self._count(asked)
        return _result_of(item.request, asked)

    def _count(self, asked: Asked) -> None:
        if asked.answer is None:
            self.n_failed += 1
            self.n_failed_in_a_row += 1
        else:
            self.n_failed_in_a_row = 0
            self.cost_nano_usd += asked.answer.cost_nano_usd or 0

    async def _keep(self, item: _Item, result: CaseResult, writer: ResultWriter) -> None:
        """Grade and write down; an answer whose scorer fails is kept all the same, it was paid for."""
        is_scored = False
        try:
            if result.answer is not None:
                result = await self.grader.grade(item.request.case, result)
            is_scored = True
        finally:
            self.n_done += 1
            writer.add(Recorded(result, item.digest, is_scored))

    def _state(self) -> Done:
        return Done(
            n_done=self.n_done,
            n_expected=self.n_expected,
            n_asked=self.n_asked,
            n_cached=self.n_cached,
            n_failed=self.n_failed,
            cost_nano_usd=self.cost_nano_usd,
        )


def _result_of(request: Request, asked: Asked, *, is_cached: bool = False) -> CaseResult:
    return CaseResult.of(
        request.case,
        answer=asked.answer,
        error=asked.error,
        sample=request.sample,
        seed=request.seed,
        is_cached=is_cached,
        n_tries=asked.n_tries,
    )


def first_of(group: BaseExceptionGroup[Exception]) -> Exception:
    """Return the first failure in a group that tells a person what to do; a bug counts before it."""
    flat = list(_flat(group))
    bugs = [exc for exc in flat if not isinstance(exc, TrimtabError | OSError)]
    return (bugs or flat)[0]


def _flat(group: BaseExceptionGroup[Exception]) -> Iterator[Exception]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _flat(exc)
        else:
            yield exc
