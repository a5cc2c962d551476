"""``trimtab eval export``: a run for spreadsheets, notebooks and other tools."""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, Annotated, Literal

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.eval_compare import SuiteOption
from trimtab.cli.eval_records import Loaded, cases_of, load_runs
from trimtab.cli.files import private_sink
from trimtab.cli.filters import OutputOption
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Case

RunFormat = Literal["json", "csv", "parquet", "inspect"]


def export_run(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id or file.", show_default=False)],
    *,
    to: OutputOption = None,
    format: Annotated[
        RunFormat | None, typer.Option("--format", help="Else by the file's ending, else json. inspect: a log as JSON.")
    ] = None,
    suite: SuiteOption = None,
) -> None:
    """Write a run with every answer.

    JSON is what `eval compare` reads again, an Inspect log what the tools of Inspect AI read.
    """
    chosen = format or _format_of(to)
    loaded = load_runs(context, [run], suite_file=suite)[0]
    cases = cases_of([loaded]).get(loaded.run.suite_digest, {})
    if chosen == "inspect" and not cases:
        raise ConfigurationError(
            "An Inspect log holds what was asked, and a run from a file does not.", hint="Name the suite: --suite FILE."
        )
    with private_sink(to) as sink:
        _write(loaded, cases, sink, chosen)
    n = len(loaded.run.results)
    output.note(f"{output.counted(n, 'result')} written{'' if to is None else f' to {to}'}")


def _write(loaded: Loaded, cases: Mapping[str, Case], sink: IO[bytes], format: RunFormat) -> None:
    from trimtab.ingest import write_rows
    from trimtab.ingest.suites import RUN_COLUMNS, inspect_log_of, run_rows

    match format:
        case "json":
            sink.write(msgspec.json.format(msgspec.json.encode(loaded.run), indent=2) + b"\n")
        case "inspect":
            log = inspect_log_of(loaded.run, cases)
            sink.write(msgspec.json.format(msgspec.json.encode(log), indent=2) + b"\n")
        case _:
            write_rows(run_rows(loaded.run, cases), sink, format=format, columns=RUN_COLUMNS)


def _format_of(path: Path | None) -> RunFormat:
    found: dict[str, RunFormat] = {".json": "json", ".csv": "csv", ".parquet": "parquet"}
    if path is None:
        return "json"
    if path.suffix.lower() not in found:
        raise ConfigurationError(
            f"The ending of {path} names no format.", hint="End it in .json, .csv or .parquet, or give --format."
        )
    return found[path.suffix.lower()]
