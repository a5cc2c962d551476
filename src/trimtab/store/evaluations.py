"""Evaluations: suites by their content, runs over them, and every answer with its score."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple

import msgspec
import zstandard
from sqlalchemy import Connection, Row, Select, and_, bindparam, select

from trimtab.core import Clock
from trimtab.core.errors import NotFound, StoreError
from trimtab.evaluation import Answer, Case, CaseResult, Run, RunPlan, Suite
from trimtab.store.database import Database
from trimtab.store.evaluation_rows import Recorded, answer_of, recorded_of, row_of_result
from trimtab.store.rows import clean
from trimtab.store.tables import evaluation_results, evaluation_runs, evaluation_suites

RunState = Literal["unfinished", "finished"]
_PAGE = 500
"""Rows read, and keys looked up, at a time."""
_MAX_SUITE_BYTES = 1 << 30


class StoredRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run without its results."""

    run_id: str
    plan: RunPlan
    state: RunState
    n_expected: int
    """Results that it has when it is finished: cases times samples."""
    started_at_us: int
    finished_at_us: int | None = None
    scored_from: str | None = None
    """The run whose answers were scored again; ``None`` for one that asked for its own."""


class Position(NamedTuple):
    """Which repetition of which case."""

    case_id: str
    sample: int


class EvaluationStore:
    """Suites, runs and results. A result is written once; only a missing score is ever added to it.

    Args:
        database: Where they are.
        clock: Dates suites and runs.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def keep_suite(self, suite: Suite) -> None:
        """Keep a suite's content under its digest; one that is there stays as it is.

        Raises:
            StoreError: the database failed.
        """
        row = {
            "digest": suite.digest,
            "name": clean(suite.name),
            "version": clean(suite.version),
            "n_cases": len(suite.cases),
            "content": zstandard.compress(msgspec.json.encode(suite)),
            "stored_at_us": self._clock.now_us(),
        }
        with self._database.writing() as connection:
            connection.execute(self._database.insert(evaluation_suites).on_conflict_do_nothing(), row)

    def load_suite(self, digest: str) -> Suite:
        """Return the suite with this digest.

        Raises:
            NotFound: no run over it was ever kept here.
            StoreError: the stored content has another digest, so somebody changed it.
        """
        query = select(evaluation_suites.c.content).where(evaluation_suites.c.digest == clean(digest))
        with self._database.reading() as connection:
            content = connection.execute(query).scalar()
        if content is None:
            raise NotFound(f"There is no suite {digest[:80]!r} in the store.", hint="`trimtab eval list` shows runs.")
        raw = zstandard.decompress(bytes(content), max_output_size=_MAX_SUITE_BYTES)
        suite = msgspec.json.decode(raw, type=Suite)
        if suite.digest != digest:
            raise StoreError(f"The stored suite {digest[:12]} has the digest {suite.digest[:12]}: it was changed.")
        return suite

    def begin(self, run: StoredRun) -> None:
        """Keep a new run.

        Raises:
            StoreError: the database failed, or has a run of this id.
        """
        row = {
            "run_id": run.run_id,
            "suite_digest": run.plan.suite_digest,
            "suite_name": clean(run.plan.suite_name),
            "target_digest": run.plan.target_digest,
            "model": clean(run.plan.model),
            "plan": clean(msgspec.json.encode(run.plan).decode()),
            "state": run.state,
            "n_expected": run.n_expected,
            "started_at_us": run.started_at_us,
            "finished_at_us": run.finished_at_us,
            "scored_from": run.scored_from,
        }
        with self._database.writing() as connection:
            connection.execute(evaluation_runs.insert(), row)

    def finish(self, run_id: str) -> None:
        """Write down that a run has all its results."""
        change = evaluation_runs.update().where(evaluation_runs.c.run_id == run_id)
        with self._database.writing() as connection:
            connection.execute(change.values(state="finished", finished_at_us=self._clock.now_us()))

    def find(self, text: str) -> StoredRun:
        """Return the run whose id begins like this.

        Raises:
            NotFound: there is none, or more than one.
        """
        found = self._runs(_newest_first().where(evaluation_runs.c.run_id.startswith(clean(text), autoescape=True)))
        if len(found) == 1 or (found and found[0].run_id == text):
            return found[0]
        several = f": {', '.join(run.run_id for run in found[:4])}" if found else ""
        raise NotFound(
            f"{len(found) or 'No'} runs have an id that begins with {text[:80]!r}{several}.",
            hint="`trimtab eval list` shows them.",
        )

    def unfinished(self, plan: RunPlan) -> StoredRun | None:
        """Return the newest run that began with the same settings over a suite of this name and did not finish."""
        same = and_(
            evaluation_runs.c.target_digest == plan.target_digest,
            evaluation_runs.c.suite_name == clean(plan.suite_name),
            evaluation_runs.c.state == "unfinished",
            evaluation_runs.c.scored_from.is_(None),
        )
        found = self._runs(_newest_first().where(same).limit(1))
        return found[0] if found else None

    def list_runs(self, limit: int) -> list[StoredRun]:
        """Return the newest runs, the newest first."""
        return self._runs(_newest_first().limit(limit))

    def add_results(self, run_id: str, results: Iterable[Recorded]) -> None:
        """Keep results in one transaction; one that is there already stays as it is.

        Raises:
            StoreError: the database failed.
            ValueError: a number is none.
        """
        rows = [row_of_result(run_id, each) for each in results]
        if not rows:
            return
        names = [column.name for column in evaluation_results.columns]
        insert = self._database.insert(evaluation_results).on_conflict_do_nothing()
        with self._database.writing() as connection:
            connection.execute(insert, [dict(zip(names, row, strict=True)) for row in rows])

    def add_scores(self, run_id: str, results: Iterable[Recorded]) -> None:
        """Add the scores of results that were kept without one."""
        rows = [
            {
                "case": clean(each.result.case_id),
                "number": each.result.sample,
                "is_scored": each.is_scored,
                "score": each.result.score,
                "why": clean(each.result.why),
                "grading_cost_nano_usd": each.result.grading_cost_nano_usd,
            }
            for each in results
        ]
        if not rows:
            return
        same = and_(
            evaluation_results.c.run_id == run_id,
            evaluation_results.c.case_id == bindparam("case"),
            evaluation_results.c.sample == bindparam("number"),
            evaluation_results.c.is_scored.is_(False),
        )
        with self._database.writing() as connection:
            connection.execute(evaluation_results.update().where(same), rows)

    def recorded(self, run_id: str) -> set[Position]:
        """Return what a run has asked already."""
        query = select(evaluation_results.c.case_id, evaluation_results.c.sample)
        with self._database.reading() as connection:
            rows = connection.execute(query.where(evaluation_results.c.run_id == run_id))
            return {Position(row.case_id, row.sample) for row in rows}

    def results(self, run_id: str, *, only_unscored: bool = False) -> Iterator[Recorded]:
        """Yield a run's results by case and sample, a page at a time, so that no run has to fit into memory."""
        table = evaluation_results.c
        query = select(evaluation_results).where(table.run_id == run_id).order_by(table.case_id, table.sample)
        if only_unscored:
            query = query.where(table.is_scored.is_(False))
        after: tuple[str, int] | None = None
        while True:
            later = query
            if after is not None:
                is_later = (table.case_id > after[0]) | ((table.case_id == after[0]) & (table.sample > after[1]))
                later = query.where(is_later)
            with self._database.reading() as connection:
                page = [recorded_of(row) for row in connection.execute(later.limit(_PAGE)).mappings()]
            yield from page
            if len(page) < _PAGE:
                return
            after = (page[-1].result.case_id, page[-1].result.sample)

    def cached(self, request_digests: Sequence[str]) -> dict[str, Answer]:
        """Return the newest answer that any run got to each of these requests, of those that got one."""
        found: dict[str, Answer] = {}
        with self._database.reading() as connection:
            for start in range(0, len(request_digests), _PAGE):
                found.update(_cached(connection, request_digests[start : start + _PAGE]))
        return found

    def known(self, request_digests: Sequence[str]) -> frozenset[str]:
        """Return those of these requests that some run got an answer to."""
        table, found = evaluation_results.c, set[str]()
        with self._database.reading() as connection:
            for start in range(0, len(request_digests), _PAGE):
                some = request_digests[start : start + _PAGE]
                query = select(table.request_digest).where(table.request_digest.in_(some), table.answer.is_not(None))
                found.update(row.request_digest for row in connection.execute(query))
        return frozenset(found)

    def load_run(self, run_id: str) -> Run:
        """Return a run with its results in the suite's order.

        Raises:
            NotFound: there is no such run.
        """
        stored = self.find(run_id)
        plan = stored.plan
        suite = self.load_suite(plan.suite_digest)
        cases = {case.case_id: (place, case) for place, case in enumerate(suite.cases)}
        results = [_of_case(each.result, cases[each.result.case_id][1]) for each in self.results(stored.run_id)]
        return Run(
            suite_name=plan.suite_name,
            suite_version=plan.suite_version,
            suite_digest=plan.suite_digest,
            plan=suite.plan,
            model=plan.model,
            model_digest=plan.model_digest,
            model_version=plan.model_version,
            scorer=plan.scorers[0].label,
            scorers=plan.scorers,
            is_binary=all(use.is_binary for use in plan.scorers),
            options=plan.options,
            started_at_us=stored.started_at_us,
            results=tuple(sorted(results, key=lambda result: (cases[result.case_id][0], result.sample))),
            run_id=stored.run_id,
        )

    def _runs(self, query: Select[tuple[object, ...]]) -> list[StoredRun]:
        with self._database.reading() as connection:
            return [_run(row) for row in connection.execute(query)]


def _newest_first() -> Select[tuple[object, ...]]:
    return select(evaluation_runs).order_by(evaluation_runs.c.started_at_us.desc(), evaluation_runs.c.run_id.desc())


def _of_case(result: CaseResult, case: Case) -> CaseResult:
    return msgspec.structs.replace(result, task_type=case.task_type, cluster=case.cluster)


def _cached(connection: Connection, request_digests: Sequence[str]) -> dict[str, Answer]:
    table = evaluation_results.c
    query = (
        select(evaluation_results)
        .join(evaluation_runs, evaluation_runs.c.run_id == table.run_id)
        .where(
            table.request_digest.in_(request_digests),
            table.answer.is_not(None),
            evaluation_runs.c.scored_from.is_(None),
        )
        .order_by(evaluation_runs.c.started_at_us)
    )
    return {row["request_digest"]: answer_of(row) for row in connection.execute(query).mappings()}


def _run(row: Row[tuple[object, ...]]) -> StoredRun:
    return StoredRun(
        run_id=row.run_id,
        plan=msgspec.json.decode(row.plan, type=RunPlan),
        state=row.state,
        n_expected=row.n_expected,
        started_at_us=row.started_at_us,
        finished_at_us=row.finished_at_us,
        scored_from=row.scored_from,
    )
