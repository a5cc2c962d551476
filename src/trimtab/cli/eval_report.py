"""What runs found, as tables: models beside each other, then task by task."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from trimtab.cli import output
from trimtab.control.numbers import ms, quality
from trimtab.replay.evaluating import RunSummary


class EvaluationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The runs of one suite."""

    suite: str
    version: str
    digest: str
    """Sha256 of the suite's plan and cases."""
    n_cases: int
    runs: tuple[RunSummary, ...]
    """In the order of the models."""


def print_report(report: EvaluationReport) -> None:
    """Write the tables to stdout and what a reader must know beside them to stderr."""
    output.print_line(f"{report.suite} version {report.version}, {output.counted(report.n_cases, 'case')}")
    output.print_line(f"digest {report.digest}")
    output.print_line()
    columns = ["Model", "Quality", ">Failed", ">From cache", ">Cost", ">TTFT p50", ">Latency p50", "Run"]
    output.print_table(columns, map(_row, report.runs))
    output.print_line()
    output.print_table(["Task", "Stratum", "Model", "Quality", ">Failed"], _tasks(report.runs))
    routed = [run for run in report.runs if run.answered_by and set(run.answered_by) != {run.model}]
    if routed:
        output.print_line()
        output.print_table(["Routed as", "Answered by", ">Answers"], _answered_by(routed))
    for text in caveats(report.runs):
        output.note(text)


def _row(run: RunSummary) -> list[output.Cell]:
    return [
        run.model,
        quality(run.quality),
        run.n_failed,
        run.n_cached,
        output.Usd(None if run.n_unpriced else run.cost_nano_usd),
        ms(run.ttft_p50_ms),
        ms(run.latency_p50_ms),
        run.run_id,
    ]


def _tasks(runs: Sequence[RunSummary]) -> Iterator[list[output.Cell]]:
    for rows in zip(*(run.tasks for run in runs), strict=True):
        for place, (run, row) in enumerate(zip(runs, rows, strict=True)):
            task, stratum = ("", "") if place else (row.task_type, row.stratum)
            yield [task, stratum, run.model, quality(row.quality), row.n_failed]


def _answered_by(runs: Sequence[RunSummary]) -> Iterator[list[output.Cell]]:
    for run in runs:
        for place, (model, n_answers) in enumerate(run.answered_by.items()):
            yield ["" if place else run.model, model, n_answers]


def caveats(runs: Sequence[RunSummary]) -> Iterator[str]:
    """Yield what a reader must know beside the tables."""
    for run in runs:
        if run.n_results < run.n_expected:
            yield f"{run.model}: unfinished, {run.n_results:,} of {run.n_expected:,} results; the same command goes on."
        if run.is_silent:
            yield f"{run.model} answered nothing at all{_by_code(run.errors)}."
        elif run.errors:
            failed = output.counted(run.n_failed, "request")
            yield f"{run.model}: {failed} of {run.n_results:,} got no answer and count as wrong{_by_code(run.errors)}."
        if run.n_ungraded:
            yield f"{run.model}: {output.counted(run.n_ungraded, 'answer')} could not be graded; no mean has them."
        if run.n_unpriced:
            yield f"{run.model}: {output.counted(run.n_unpriced, 'answer')} without a known price."


def _by_code(errors: Mapping[str, int]) -> str:
    return f": {', '.join(f'{code} {n:,}' for code, n in errors.items())}" if errors else ""
