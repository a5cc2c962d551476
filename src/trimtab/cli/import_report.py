"""What `trimtab calls import` says at its end, whatever ended it."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from trimtab.cli import output
from trimtab.cli.import_options import ImportFlags
from trimtab.control.numbers import count, usd, usd_text
from trimtab.ingest import ImportReport


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did. It only counts what the store has committed."""

    n_read: int
    """Lines read."""
    n_new: int
    """Calls stored now; with ``--dry-run``, those that would be."""
    n_seen: int
    """Calls that the journal already had."""
    n_bad: int
    """Lines that could not be read."""
    n_skipped: int
    """Well-formed lines that are no calls to a model."""
    skipped: Mapping[str, int]
    """The same by kind."""
    n_undated: int
    """Calls without a time."""
    n_unpriced: int
    """Calls whose cost is unknown."""
    cost_usd: str | None
    """Sum over the new and the seen calls that have a cost."""
    elapsed_s: float
    is_complete: bool
    """False when it stopped before the end of the last file."""


@dataclass(slots=True)
class Ending:
    """How an import came to its end."""

    code: int = 0
    is_complete: bool = True
    elapsed_s: float = 0.0


def print_import(report: ImportReport, ending: Ending, flags: ImportFlags, *, json: bool) -> None:
    """Say what was committed, and name the bad lines by file and line."""
    for bad in report.bad_lines:
        output.note(f"{bad.place.file}:{bad.place.line}: {bad.reason}")
    if report.n_bad > len(report.bad_lines):
        output.note(f"… and {report.n_bad - len(report.bad_lines):,} more bad lines")
    if json:
        output.print_json(_imported(report, ending))
    else:
        _print_summary(report, ending.elapsed_s, dry_run=flags.dry_run)
    if report.n_bad and flags.rejected is not None:
        output.note(f"The bad lines are in {flags.rejected}; mend the `row` of each and import those rows again.")
    if flags.max_errors is not None and report.n_bad > flags.max_errors:
        output.note(f"error: stopped at bad line {report.n_bad:,}; --max-errors is {flags.max_errors}.")
    if ending.code == 130:
        output.note("Interrupted. What is counted above is stored; run the same command again to go on.")


def _imported(report: ImportReport, ending: Ending) -> Imported:
    is_priced = report.n_new + report.n_seen > report.n_unpriced
    return Imported(
        n_read=report.n_read,
        n_new=report.n_new,
        n_seen=report.n_seen,
        n_bad=report.n_bad,
        n_skipped=report.n_skipped,
        skipped=report.skipped,
        n_undated=report.n_undated,
        n_unpriced=report.n_unpriced,
        cost_usd=usd_text(report.cost_nano_usd) if is_priced else None,
        elapsed_s=round(ending.elapsed_s, 3),
        is_complete=ending.is_complete,
    )


def _print_summary(report: ImportReport, elapsed_s: float, *, dry_run: bool) -> None:
    new, bad = output.counted(report.n_new, "call"), output.counted(report.n_bad, "bad line")
    verb = "would be stored" if dry_run else "stored"
    output.print_line(f"{new} {verb}, {report.n_seen:,} known already, {bad}")
    n_priced = report.n_new + report.n_seen - report.n_unpriced
    cost = usd(report.cost_nano_usd) if n_priced else "unknown"
    output.print_line(f"cost {cost} over {output.counted(n_priced, 'call')}, {report.n_unpriced:,} unpriced")
    for reason, n_lines in sorted(report.skipped.items()):
        output.print_line(f"{output.counted(n_lines, 'line')} skipped: {reason}")
    if report.n_undated:
        output.print_line(f"{count(report.n_undated)} without a time are dated 1970-01-01; --at gives them one")
    rate = report.n_read / max(elapsed_s, 1e-9)
    output.print_line(f"{output.duration(elapsed_s)}, {rate:,.0f} rows/s")
