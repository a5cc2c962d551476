"""Sums over a run's results, added up by the database."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Select, Subquery, case, cast, func, select

from trimtab.store.database import Database
from trimtab.store.tables import evaluation_results

_ROW = evaluation_results.c


class RunTotals(msgspec.Struct, frozen=True, kw_only=True):
    """What a run has so far. Money is what this run spent: an answer from the cache cost it nothing."""

    n_results: int = 0
    n_answered: int = 0
    """With an answer, an empty one included."""
    n_empty: int = 0
    """Answers without a character."""
    n_cached: int = 0
    n_unscored: int = 0
    """Answers that wait for their scorer."""
    cost_nano_usd: int = 0
    """Of the answers whose price is known."""
    n_unpriced: int = 0
    """Answers asked for now whose price is unknown."""
    grading_cost_nano_usd: int = 0
    energy_wh: float | None = None
    """``None`` where no answer's energy is known."""
    input_tokens: int = 0
    output_tokens: int = 0
    n_cases: int = 0
    """Cases with a verdict. One without an answer counts as wrong; one that its scorer could not tell is left out."""
    score_sum: float = 0.0
    """Over those cases, each by the mean of its samples."""
    score_square_sum: float = 0.0
    errors: Mapping[str, int] = {}
    """Results without an answer, by error code."""

    @property
    def n_failed(self) -> int:
        """Results without an answer."""
        return self.n_results - self.n_answered


def run_totals(database: Database, run_ids: Sequence[str]) -> dict[str, RunTotals]:
    """Return the sums of some runs; one without a result has none.

    Raises:
        StoreError: the database failed.
    """
    if not run_ids:
        return {}
    with database.reading() as connection:
        sums = connection.execute(_sums().where(_ROW.run_id.in_(run_ids)).group_by(_ROW.run_id)).mappings().all()
        scores = {row["run_id"]: row for row in connection.execute(_scores(run_ids)).mappings()}
        failures = (
            select(_ROW.run_id, _ROW.error_code, func.count().label("n"))
            .where(_ROW.run_id.in_(run_ids), _ROW.error_code.is_not(None))
            .group_by(_ROW.run_id, _ROW.error_code)
            .order_by(func.count().desc(), _ROW.error_code)
        )
        errors: dict[str, dict[str, int]] = {}
        for run_id, code, n_failures in connection.execute(failures):
            errors.setdefault(run_id, {})[code] = n_failures
    found = {}
    for row in sums:
        fields = {name: value for name, value in row.items() if name != "run_id"}
        score = scores.get(row["run_id"])
        if score is not None:
            fields |= {name: score[name] for name in ("n_cases", "score_sum", "score_square_sum")}
        found[row["run_id"]] = RunTotals(**fields, errors=errors.get(row["run_id"], {}))
    return found


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _whole(amounts: ColumnElement[Any]) -> ColumnElement[int]:
    """Sum whole numbers to a whole number: PostgreSQL's sum of bigints is a numeric."""
    return cast(func.coalesce(func.sum(amounts), 0), BigInteger)


def _sums() -> Select[Any]:
    is_answered, is_fresh = _ROW.answer.is_not(None), _ROW.is_cached.is_(False)
    return select(
        _ROW.run_id,
        func.count().label("n_results"),
        _count(is_answered).label("n_answered"),
        _count(func.length(_ROW.answer) == 0).label("n_empty"),
        _count(_ROW.is_cached.is_(True)).label("n_cached"),
        _count(_ROW.is_scored.is_(False)).label("n_unscored"),
        _whole(case((is_fresh, _ROW.cost_nano_usd), else_=0)).label("cost_nano_usd"),
        _count(is_answered & is_fresh & _ROW.cost_nano_usd.is_(None)).label("n_unpriced"),
        _whole(_ROW.grading_cost_nano_usd).label("grading_cost_nano_usd"),
        func.sum(case((is_fresh, _ROW.energy_wh))).label("energy_wh"),
        _whole(_ROW.input_tokens).label("input_tokens"),
        _whole(_ROW.output_tokens).label("output_tokens"),
    )


def _scores(run_ids: Sequence[str]) -> Select[Any]:
    """Sum the cases' means; a result without an answer counts as 0, one that waits for its scorer not at all."""
    verdict = case((_ROW.answer.is_(None), 0.0), else_=_ROW.score)
    per_case: Subquery = (
        select(_ROW.run_id, _ROW.case_id, func.avg(verdict).label("mean"))
        .where(_ROW.run_id.in_(run_ids))
        .group_by(_ROW.run_id, _ROW.case_id)
        .subquery()
    )
    mean = per_case.c.mean
    return (
        select(
            per_case.c.run_id,
            func.count(mean).label("n_cases"),
            func.sum(mean).label("score_sum"),
            func.sum(mean * mean).label("score_square_sum"),
        )
        .where(mean.is_not(None))
        .group_by(per_case.c.run_id)
    )
