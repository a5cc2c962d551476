"""What ``trimtab eval suite import`` says of what it made."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from trimtab.cli import output
from trimtab.control.numbers import quality
from trimtab.evaluation import SHOWN_PROBLEMS, CaseResult, SuiteProblem, SuiteReading
from trimtab.replay import KeptRun
from trimtab.routing import Estimate
from trimtab.stats import Moments, mean_interval, wilson_interval

SHOWN_STRATA = 12
"""With more strata than this their scores are in ``--json`` only."""


class ImportedRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one model once answered, kept as a run."""

    run_id: str
    model: str
    scorer: str
    is_new: bool
    """Whether it was not in the store already."""
    n_results: int
    n_failed: int
    """Of them without an answer."""
    score: Estimate | None
    """Mean with its 95 % interval over what was scored."""
    strata: Mapping[str, Estimate | None]
    """The same for each stratum."""


class SuiteImported(msgspec.Struct, frozen=True, kw_only=True):
    """A suite that was made from something else."""

    file: str
    """Where it was written."""
    suite: str
    version: str
    digest: str
    n_cases: int
    strata: Mapping[str, int]
    """Cases by stratum."""
    n_skipped: int
    """Rows that are no case and were left out because --skip-invalid asked for it."""
    problems: tuple[SuiteProblem, ...]
    """What was wrong with them."""
    left_out: Mapping[str, int]
    """Well-formed rows that make no case here, by the reason."""
    runs: tuple[ImportedRun, ...]
    notes: tuple[str, ...]


def report_of(
    file: Path, reading: SuiteReading, left_out: Mapping[str, int], notes: Sequence[str], runs: Sequence[KeptRun]
) -> SuiteImported:
    """Return what was made; the reading has a suite."""
    suite = reading.required(skip_invalid=True)
    return SuiteImported(
        file=str(file),
        suite=suite.name,
        version=suite.version,
        digest=suite.digest,
        n_cases=len(suite.cases),
        strata=dict(sorted(Counter(case.stratum for case in suite.cases).items())),
        n_skipped=reading.n_skipped,
        problems=reading.problems,
        left_out=dict(left_out),
        runs=tuple(map(_run, runs)),
        notes=tuple(notes),
    )


def print_report(report: SuiteImported) -> None:
    """Print it for people."""
    output.print_line(
        f"{report.file}: {report.suite} version {report.version}, {output.counted(report.n_cases, 'case')} in "
        f"{output.counted(len(report.strata), 'stratum').replace('stratums', 'strata')}, digest {report.digest[:12]}"
    )
    if report.runs:
        output.print_line()
        columns = ["Run", "Model", "Scored by", ">Results", ">Unanswered", "Score [95 %]"]
        output.print_table(columns, map(_row, report.runs))
        if 1 < len(report.strata) <= SHOWN_STRATA:
            output.print_line()
            output.print_table(["Stratum", *(run.model for run in report.runs)], _stratum_rows(report))
    for problem in report.problems[:SHOWN_PROBLEMS]:
        output.note(f"{problem.place}: {problem.rule}")
    if report.n_skipped:
        output.note(f"{output.counted(report.n_skipped, 'row')} left out as no case (--skip-invalid).")
    for reason, n in report.left_out.items():
        output.note(f"{n:,} left out: {reason}.")
    for text in report.notes:
        output.note(text)


def _run(kept: KeptRun) -> ImportedRun:
    by_stratum: dict[str, list[CaseResult]] = {}
    for result in kept.run.results:
        by_stratum.setdefault(result.stratum, []).append(result)
    return ImportedRun(
        run_id=kept.run_id,
        model=kept.run.model,
        scorer=kept.run.scorer,
        is_new=kept.is_new,
        n_results=len(kept.run.results),
        n_failed=kept.run.n_failed,
        score=score_of(kept.run.results, is_binary=kept.run.is_binary),
        strata={
            stratum: score_of(results, is_binary=kept.run.is_binary) for stratum, results in sorted(by_stratum.items())
        },
    )


def score_of(results: Sequence[CaseResult], *, is_binary: bool) -> Estimate | None:
    """Return the mean score with its interval; Wilson's for rates, Student's for other scores."""
    scores = list(_scores(results))
    if is_binary and scores:
        interval = wilson_interval(sum(score == 1 for score in scores), len(scores))
        return Estimate(
            mean=sum(scores) / len(scores), lower=interval.lower, upper=interval.upper, n_samples=len(scores)
        )
    moments = Moments()
    for score in scores:
        moments.add(score)
    bounds = mean_interval(moments)
    if bounds is None:
        return None
    return Estimate(
        mean=moments.mean, lower=max(0.0, bounds.lower), upper=min(1.0, bounds.upper), n_samples=len(scores)
    )


def _scores(results: Sequence[CaseResult]) -> Iterator[float]:
    for result in results:
        if result.score is not None:
            yield result.score
        elif result.answer is None:
            yield 0.0  # whoever asked got nothing


def _stratum_rows(report: SuiteImported) -> Iterator[list[output.Cell]]:
    for stratum in report.strata:
        yield [stratum, *(quality(run.strata.get(stratum)) for run in report.runs)]


def _row(run: ImportedRun) -> list[output.Cell]:
    return [run.run_id, run.model, run.scorer, run.n_results, run.n_failed, quality(run.score)]
