"""``trimtab calls export``: calls out of the journal, into a file or down a pipe."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.files import private_sink
from trimtab.cli.filters import CallOptions, OutputOption
from trimtab.cli.options import with_options
from trimtab.core import JournalEntry
from trimtab.core.errors import ConfigurationError
from trimtab.ingest import ExportFormat, write_calls
from trimtab.store import CallReader

_BY_SUFFIX: dict[str, ExportFormat] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}


@with_options
def export_calls(
    context: typer.Context,
    *,
    to: OutputOption = None,
    format: Annotated[
        ExportFormat | None, typer.Option("--format", help="Else by the file's ending, else jsonl.")
    ] = None,
    bodies: Annotated[bool, typer.Option("--bodies", help="Write prompts and answers, where they were kept.")] = False,
    chosen: CallOptions,
) -> None:
    """Write calls as JSON Lines, CSV or Parquet, oldest first. `calls import` reads all three again."""
    container, filter = _format_of(to, format), chosen.filter()
    database = invocation_of(context).open_database()
    progress = output.Progress()
    try:
        entries = _counted(CallReader(database).stream(filter, bodies=bodies), progress)
        with private_sink(to) as sink:
            n_calls = write_calls(entries, sink, format=container, bodies=bodies)
    finally:
        progress.clear()
        database.close()
    output.note(f"{output.counted(n_calls, 'call')} written{'' if to is None else f' to {to}'}")


def _format_of(path: Path | None, wanted: ExportFormat | None) -> ExportFormat:
    chosen = wanted or (_BY_SUFFIX.get(path.suffix.lower()) if path is not None else "jsonl")
    if chosen is None:
        raise ConfigurationError(
            f"The ending of {path} names no format.", hint="End it in .jsonl, .csv or .parquet, or give --format."
        )
    if chosen == "parquet" and path is None and sys.stdout.isatty():
        raise ConfigurationError("Parquet is not for a terminal.", hint="Give a file: --output calls.parquet.")
    return chosen


def _counted(entries: Iterator[JournalEntry], progress: output.Progress) -> Iterator[JournalEntry]:
    for n, entry in enumerate(entries, start=1):
        if n % 500 == 0:
            progress.update(f"{n:,} calls")
        yield entry
