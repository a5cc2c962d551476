"""``trimtab calls import``: log files into the journal."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from trimtab.cli import output
from trimtab.cli.context import Invocation, invocation_of
from trimtab.cli.filters import instant_us
from trimtab.cli.import_report import Ending, print_import
from trimtab.core import Sensitivity, StoreMode, to_us
from trimtab.core.errors import ConfigurationError, TrimtabError
from trimtab.ingest import (
    TARGETS,
    UNDATED_AT,
    AddMany,
    Format,
    ImportOptions,
    ImportReport,
    Meter,
    Row,
    Source,
    TooManyBadLines,
    check_mapping,
    container_of,
    price_rows,
    read_calls,
    read_mapping,
    run_import,
)
from trimtab.store import Booked, Importer

SensitivityName = Literal["public", "internal", "confidential", "restricted"]


def import_calls(
    context: typer.Context,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE", help="Files to read; .gz and .zst too.", show_default=False)
    ],
    format: Annotated[Format | None, typer.Option(help="What the files are; else told by their columns.")] = None,
    requests: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Input file of an OpenAI batch, for its output file.")
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option(metavar="FILE", help="YAML file of `field: column` lines, for any table.")
    ] = None,
    map_: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN", help=f"One such line. Fields: {', '.join(TARGETS)}."),
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="WHEN", help="Time (UTC) of rows that carry none; else 1970-01-01.")
    ] = None,
    sensitivity: Annotated[SensitivityName, typer.Option(help="Label of rows that carry none.")] = "restricted",
    provider: Annotated[
        str | None, typer.Option(metavar="NAME", help="First half of provider:model where the file has none.")
    ] = None,
    app: Annotated[str, typer.Option("--app", metavar="NAME", help="App of rows that name none.")] = "default",
    workload: Annotated[
        str | None, typer.Option(metavar="NAME", help="Workload of every row, whatever the file says.")
    ] = None,
    store: Annotated[
        Literal["metadata", "redacted", "full"],
        typer.Option(help="Keep prompts and answers: not, with identifiers masked, or as they are."),
    ] = "metadata",
    price: Annotated[bool, typer.Option(help="Price calls that carry tokens and no cost from the price list.")] = True,
    max_errors: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Bad lines to accept; one more stops it. Else all are read, and any is exit code 1.",
        ),
    ] = None,
    rejected: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write bad lines here, with their content.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and count, store nothing.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> int:
    """Read logs or recorded outcomes into the journal.

    Reading the same file again adds nothing, so an import that was interrupted is resumed by running it again.
    """
    at_us = instant_us(at, "--at")
    options = ImportOptions(
        at_us=to_us(UNDATED_AT) if at_us is None else at_us,
        sensitivity=Sensitivity[sensitivity.upper()],
        provider=provider,
        app=app,
        workload=workload,
        store=StoreMode(store),
    )
    columns = _mapping(mapping, map_ or [])
    if requests is not None and len(files) > 1:
        raise ConfigurationError("--requests belongs to one output file.", hint="Import batch by batch.")
    if rejected is not None and rejected.resolve() in {path.resolve() for path in files}:
        raise ConfigurationError(f"--rejected {rejected} is one of the files to read.", hint="Name another file.")
    for path in files:
        container_of(path)  # a file that is missing or empty stops it before another one is stored
    run = _Run(
        [Source(path=path, format=format, options=options, mapping=columns, requests=requests) for path in files]
    )
    invocation = invocation_of(context)
    rows = _priced(invocation, run.rows()) if price else run.rows()
    report = ImportReport()
    ending = Ending()
    try:
        with _destination(invocation, dry_run=dry_run) as add_many:
            run_import(
                rows,
                add_many,
                report,
                max_errors=max_errors,
                rejected=rejected,
                undated_us=options.at_us if at is None else None,
                on_chunk=run.show,
            )
        ending.code = 1 if report.n_bad and max_errors is None else 0
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
    print_import(report, ending, dry_run=dry_run, rejected=rejected, max_errors=max_errors, json=json)
    return ending.code


def _mapping(path: Path | None, pairs: Sequence[str]) -> dict[str, str]:
    columns = read_mapping(path) if path is not None else {}
    for pair in pairs:
        field, equals, column = pair.partition("=")
        if not equals or not field or not column:
            raise ConfigurationError(f"--map {pair!r} is not FIELD=COLUMN.", hint="For example --map model=llm_name.")
        columns[field] = column
    return check_mapping(columns, str(path) if path is not None and not pairs else "--map") if columns else {}


def _priced(invocation: Invocation, rows: Iterator[Row]) -> Iterator[Row]:
    from trimtab.wiring import price_book_of

    return price_rows(rows, price_book_of(invocation.settings()))


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
