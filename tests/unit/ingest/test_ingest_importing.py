import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from trimtab.core import CallRecord, JournalEntry, derived_call_id
from trimtab.ingest import BadLine, ImportReport, Place, Row, Skipped, TooManyBadLines, importing, run_import


class _Counts(NamedTuple):
    n_new: int
    n_seen: int


class _Memory:
    """A store of call ids, idempotent like the real one."""

    def __init__(self) -> None:
        self.ids: set[str] = set()

    def add_many(self, entries: Sequence[JournalEntry]) -> _Counts:
        ids = [entry.call.call_id for entry in entries]
        new = set(ids) - self.ids
        self.ids |= new
        return _Counts(len(new), len(ids) - len(new))


def _entry(n: int, cost: int | None = 5) -> JournalEntry:
    return JournalEntry(call=CallRecord(call_id=derived_call_id(str(n)), started_at_us=n, cost_nano_usd=cost))


def _bad(line: int) -> BadLine:
    return BadLine(place=Place("f", line), reason="not JSON", text="secret")


ROWS: list[Row] = [_entry(0), _bad(2), _entry(1), Skipped(place=Place("f", 4), reason="span"), _entry(2, None)]


def test_everything_is_counted_once() -> None:
    store, report = _Memory(), ImportReport()

    run_import(ROWS, store.add_many, report, undated_us=0)
    run_import(ROWS, store.add_many, again := ImportReport())

    assert (report.n_read, report.n_new, report.n_bad, report.n_skipped) == (5, 3, 1, 1)
    assert (report.cost_nano_usd, report.n_unpriced, report.n_undated) == (10, 1, 1)
    assert (again.n_new, again.n_seen) == (0, 3)


def test_too_many_bad_lines_stop_it_and_keep_what_came_before() -> None:
    store, report = _Memory(), ImportReport()

    with pytest.raises(TooManyBadLines):
        run_import([_entry(0), _bad(2), _bad(3), _entry(4)], store.add_many, report, max_errors=1)

    assert (len(store.ids), report.n_bad) == (1, 2)


def test_rejected_lines_are_kept_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "log.rejected.jsonl"
    path.touch(0o644)

    run_import(ROWS, _Memory().add_many, ImportReport(), rejected=path)

    assert json.loads(path.read_text()) == {"file": "f", "line": 2, "reason": "not JSON", "row": "secret"}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_interrupt_leaves_whole_chunks_and_running_again_finishes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "CHUNK_ROWS", 10)
    store, report = _Memory(), ImportReport()

    def interrupted() -> Iterator[Row]:
        yield from (_entry(n) for n in range(25))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_import(interrupted(), store.add_many, report)
    assert (report.n_new, len(store.ids)) == (20, 20)

    run_import((_entry(n) for n in range(30)), store.add_many, again := ImportReport())
    assert (again.n_new, again.n_seen, len(store.ids)) == (10, 20, 30)
