"""One import from start to end: reads, stores chunk by chunk, counts, and keeps what was committed when interrupted."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Protocol

import msgspec

from trimtab.core import JournalEntry
from trimtab.ingest.rows import BadLine, Row, Skipped

CHUNK_ROWS = 5000
"""Rows committed together: few enough that an interrupt loses little, enough that the commit does not show."""
SHOWN_BAD_LINES = 20


class Counts(Protocol):
    """What the journal did with a chunk."""

    @property
    def n_new(self) -> int:
        """Calls that were not there before."""
        ...

    @property
    def n_seen(self) -> int:
        """Calls that were, and stayed as they were."""
        ...


AddMany = Callable[[Sequence[JournalEntry]], Counts]
"""Stores entries in one transaction or more, idempotent on ``call_id``: ``Importer.add_many`` of the store."""


class TooManyBadLines(Exception):
    """More bad lines than the import may have; what was stored before stays."""


@dataclass(slots=True)
class ImportReport:
    """What an import did so far. It only counts what the store has committed."""

    n_read: int = 0
    n_new: int = 0
    n_seen: int = 0
    """Calls that the journal already had."""
    n_bad: int = 0
    n_skipped: int = 0
    n_undated: int = 0
    cost_nano_usd: int = 0
    """Sum over the new and the seen calls that have a cost."""
    n_unpriced: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    """The first few."""
    skipped: dict[str, int] = field(default_factory=dict)
    """How many lines of each kind were no calls."""


def run_import(
    rows: Iterable[Row],
    add_many: AddMany,
    report: ImportReport,
    *,
    max_errors: int | None = None,
    rejected: Path | None = None,
    undated_us: int | None = None,
    on_chunk: Callable[[ImportReport], None] = lambda report: None,
) -> None:
    """Store the rows.

    Args:
        rows: Rows of one or more files.
        add_many: Where the calls go.
        report: Filled as chunks are committed, so that it also holds after an exception or an interrupt.
        max_errors: Bad lines allowed; ``None`` is any number.
        rejected: File to write the bad lines to, readable by its owner only since it holds their content.
        undated_us: The instant that rows without a time were given, to count them.
        on_chunk: Called after each commit.

    Raises:
        TooManyBadLines: one more than ``max_errors``; the rows before it are stored.
        StoreError: the store failed; everything counted in ``report`` is committed.
    """
    with ExitStack() as stack:
        sink = None if rejected is None else stack.enter_context(_private_file(rejected))
        sorter = _Sorter(rows, report, sink, max_errors)
        while chunk := list(islice(sorter, CHUNK_ROWS)):
            counts = add_many(chunk)
            report.n_new += counts.n_new
            report.n_seen += counts.n_seen
            for entry in chunk:
                _count(report, entry, undated_us)
            on_chunk(report)
        if sorter.is_over:
            raise TooManyBadLines


class _Sorter(Iterator[JournalEntry]):
    """Lets calls through and counts the rest; ends early once there are too many bad lines."""

    def __init__(
        self, rows: Iterable[Row], report: ImportReport, rejected: IO[bytes] | None, max_errors: int | None
    ) -> None:
        self._rows = iter(rows)
        self._report = report
        self._rejected = rejected
        self._max_errors = max_errors
        self.is_over = False

    def __next__(self) -> JournalEntry:
        while not self.is_over:
            row = next(self._rows)
            self._report.n_read += 1
            if isinstance(row, JournalEntry):
                return row
            if isinstance(row, Skipped):
                self._report.n_skipped += 1
                self._report.skipped[row.reason] = self._report.skipped.get(row.reason, 0) + 1
            else:
                self._reject(row)
        raise StopIteration

    def _reject(self, bad: BadLine) -> None:
        report = self._report
        report.n_bad += 1
        if len(report.bad_lines) < SHOWN_BAD_LINES:
            report.bad_lines.append(bad)
        if self._rejected is not None:
            line = {"file": bad.place.file, "line": bad.place.line, "reason": bad.reason, "row": bad.text}
            self._rejected.write(msgspec.json.encode(line) + b"\n")
        self.is_over = self._max_errors is not None and report.n_bad > self._max_errors


def _count(report: ImportReport, entry: JournalEntry, undated_us: int | None) -> None:
    report.n_undated += entry.call.started_at_us == undated_us
    if entry.call.cost_nano_usd is None:
        report.n_unpriced += 1
    else:
        report.cost_nano_usd += entry.call.cost_nano_usd


def _private_file(path: Path) -> IO[bytes]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.fchmod(descriptor, 0o600)  # the file may have been there, open to others
    return os.fdopen(descriptor, "wb")
