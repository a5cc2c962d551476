"""``trimtab calls import``: log files into the journal."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import Invocation, invocation_of
from trimtab.cli.import_options import ImportFlags
from trimtab.cli.import_report import Ending, print_import
from trimtab.cli.options import with_options
from trimtab.core import to_us
from trimtab.core.errors import TrimtabError
from trimtab.ingest import (
    UNDATED_AT,
    AddMany,
    ImportReport,
    Meter,
    Row,
    Source,
    TooManyBadLines,
    price_rows,
    read_calls,
    run_import,
)
from trimtab.store import Booked, Importer


@with_options
def import_calls(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files to read; .gz and .zst too.", show_default=False)
    ],
    flags: ImportFlags,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> int:
    """Read logs or recorded outcomes into the journal.

    Reading the same file again adds nothing, so an import that was interrupted is resumed by running it again.
    """
    run = _Run(flags.sources(files))
    invocation = invocation_of(context)
    rows = _priced(invocation, run.rows()) if flags.price else run.rows()
    report, ending = ImportReport(), Ending()
    try:
        with _destination(invocation, dry_run=flags.dry_run) as add_many:
            run_import(
                rows,
                add_many,
                report,
                max_errors=flags.max_errors,
                rejected=flags.rejected,
                undated_us=to_us(UNDATED_AT) if flags.at is None else None,
                on_chunk=run.show,
            )
        ending.code = 1 if report.n_bad and flags.max_errors is None else 0
    except TooManyBadLines:
        ending.code, ending.is_complete = 1, False
    except KeyboardInterrupt:
        ending.code, ending.is_complete = 130, False
    except (TrimtabError, OSError):
        if report.n_new + report.n_seen:
            output.note(f"Stopped after {report.n_new:,} new calls; run the same command again to go on.")
        raise
    finally:
        run.progress.clear()
    ending.elapsed_s = run.elapsed_s
    print_import(report, ending, flags, json=json)
    return ending.code


def _priced(invocation: Invocation, rows: Iterator[Row]) -> Iterator[Row]:
    from trimtab.wiring import price_book_of, stored_probes

    settings = invocation.settings()
    return price_rows(rows, price_book_of(settings, stored_probes(settings)))


@contextmanager
def _destination(invocation: Invocation, *, dry_run: bool) -> Iterator[AddMany]:
    """Give where the calls go: the journal, or nowhere."""
    if dry_run:
        yield lambda entries: Booked(len(entries), 0)
        return
    database = invocation.open_database()
    try:
        yield Importer(database).add_many
    finally:
        database.close()


class _Run:
    """The files one after the other, with how far it is."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._sizes = [source.path.stat().st_size if source.path.is_file() else 0 for source in sources]
        self._done_bytes = 0
        self._meter = Meter()
        self._size = 0
        self._started_s = time.monotonic()
        self.progress = output.Progress()

    def rows(self) -> Iterator[Row]:
        for source, size in zip(self._sources, self._sizes, strict=True):
            self._meter, self._size = Meter(), size
            yield from read_calls(source, self._meter)
            self._done_bytes, self._size = self._done_bytes + size, 0

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_s

    def show(self, report: ImportReport) -> None:
        share = (self._done_bytes + self._size * self._meter.fraction()) / (sum(self._sizes) or 1)
        left = f", {output.duration(self.elapsed_s * (1 - share) / share)} left" if share > 0 else ""
        rate = report.n_read / max(self.elapsed_s, 1e-9)
        self.progress.update(f"{share:4.0%}  {report.n_read:,} rows, {rate:,.0f} rows/s{left}")
