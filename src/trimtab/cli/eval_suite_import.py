"""``trimtab eval suite import``: suites out of tables, logs of other tools, recorded outcomes and the journal."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import Invocation, invocation_of
from trimtab.cli.eval_suite_import_fit import refuse_others
from trimtab.cli.eval_suite_import_journal import from_journal
from trimtab.cli.eval_suite_import_options import FileFlags, JournalFlags, OutcomeFlags, SuiteFlags, SuiteSource
from trimtab.cli.eval_suite_import_report import print_report, report_of
from trimtab.cli.eval_suite_options import SkipInvalidOption
from trimtab.cli.files import private_sink
from trimtab.cli.filters import JsonOption
from trimtab.cli.options import with_options
from trimtab.core import SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Run, Suite, encode_suite
from trimtab.ingest.suites import (
    MAPPED_KEYS,
    OUTCOME_FIELDS,
    TABLE_FIELDS,
    ImportedSuite,
    read_inspect_suite,
    read_outcome_suite,
    read_table_suite,
)
from trimtab.replay import KeptRun, keep_recorded
from trimtab.store import EvaluationStore


@with_options
def import_suite(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="FILE", help="What to read; none for the journal.", show_default=False),
    ] = None,
    *,
    source: Annotated[SuiteSource, typer.Option("--from", help="What it is.", show_default=False)],
    to: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Suite to write.", show_default=False)],
    flags: SuiteFlags,
    reading: FileFlags,
    outcomes: OutcomeFlags,
    journal: JournalFlags,
    skip_invalid: SkipInvalidOption = False,
    json: JsonOption = False,
) -> None:
    """Make a suite from a table, Inspect logs, recorded outcomes or the journal.

    Answers and scores that come with it are kept as recorded runs, to be compared like any other. The same import
    twice keeps them once. Nothing is written when a row is no case, unless --skip-invalid leaves it out.
    """
    refuse_others(source, flags, (reading, outcomes, journal))
    if source == "journal":
        imported = from_journal(invocation_of(context), files or [], flags, journal, to)
    else:
        imported = _read(source, files or [], flags, reading, outcomes, to)
    suite = imported.reading.required(skip_invalid=skip_invalid)
    with private_sink(to) as sink:
        sink.write(encode_suite(suite))
    kept = _kept(invocation_of(context), suite, imported.runs)
    report = report_of(to, imported.reading, imported.left_out, imported.notes, kept)
    if json:
        output.print_json(report)
    else:
        print_report(report)


def _read(
    source: SuiteSource,
    files: Sequence[Path],
    flags: SuiteFlags,
    reading: FileFlags,
    outcomes: OutcomeFlags,
    to: Path,
) -> ImportedSuite:
    if not files:
        raise ConfigurationError(f"--from {source} reads files.", hint="Name at least one.")
    if to.resolve() in {file.resolve() for file in files}:
        raise ConfigurationError(f"--output {to} is one of the files to read.", hint="Name another file.")
    if source == "inspect":
        return read_inspect_suite(files, reading.options(flags, to, MAPPED_KEYS), score=reading.score)
    if source == "outcomes":
        return read_outcome_suite(files, reading.options(flags, to, OUTCOME_FIELDS), outcomes.choice())
    if len(files) > 1:
        raise ConfigurationError("--from csv reads one table.", hint="Put the tables together, or import each.")
    return read_table_suite(files[0], reading.options(flags, to, tuple(TABLE_FIELDS)))


def _kept(invocation: Invocation, suite: Suite, runs: Sequence[Run]) -> list[KeptRun]:
    if not runs:
        return []
    database = invocation.open_database()
    try:
        return keep_recorded(EvaluationStore(database, SystemClock()), suite, runs)
    finally:
        database.close()
