"""Which calls a reader asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import ColumnElement

from trimtab.core import day_of
from trimtab.store.rows import clean
from trimtab.store.tables import calls

_EQUAL = ("workload", "model", "status", "app", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFilter:
    """Conditions that all hold; ``None`` is no condition. Values are compared whole, never as patterns."""

    workload: str | None = None
    model: str | None = None
    """``provider:model``."""
    status: str | None = None
    app: str | None = None
    source: str | None = None
    since_us: int | None = None
    """Started at this instant or later, Unix microseconds."""
    until_us: int | None = None
    """Started before this instant."""

    def equals(self) -> Iterator[tuple[str, str]]:
        """Yield the columns that must have a value, each with it."""
        for name in _EQUAL:
            value = getattr(self, name)
            if value is not None:
                yield name, value


Order = Literal["newest", "by_time", "by_prompt"]
"""How the calls are read: the newest at once, or page by page in the order of their times or their prompts."""


def conditions(filter: CallFilter, order: Order, *, is_partitioned: bool) -> list[ColumnElement[bool]]:
    """Return the conditions on ``calls``, written so that SQLite serves each page by one step in the right index.

    Args:
        filter: What is asked for.
        order: In the order of times the reader's place stands for ``since_us``: of two lower bounds the planner may
            take the other one, and begin each page at the beginning. In the order of prompts no condition may be
            served by an index, or the planner uses that one and sorts what it finds, anew for each page.
        is_partitioned: Whether to name the days too, so that other days' partitions are not even looked at.
    """
    c = calls.c
    found: list[ColumnElement[bool]] = []
    for name, value in filter.equals():
        column: ColumnElement[Any] = c[name].concat("") if order == "by_prompt" else c[name]
        found.append(column == clean(value))
    started_at: ColumnElement[int] = c.started_at_us + 0 if order == "by_prompt" else c.started_at_us
    if filter.since_us is not None:
        if order != "by_time":
            found.append(started_at >= filter.since_us)
        if is_partitioned:
            found.append(c.day >= day_of(filter.since_us))
    if filter.until_us is not None:
        found.append(started_at < filter.until_us)
        if is_partitioned:
            found.append(c.day <= day_of(filter.until_us - 1))
    return found
