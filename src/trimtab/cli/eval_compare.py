"""``trimtab eval compare``: candidates against a baseline, stratum by stratum."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.eval_records import admissions_of, cases_of, load_runs
from trimtab.cli.eval_text import print_report
from trimtab.cli.eval_traffic import TrafficOption, read_traffic
from trimtab.cli.files import private_sink
from trimtab.cli.filters import JsonOption
from trimtab.evaluation import ComparisonReport, report_on

BaselineArgument = Annotated[str, typer.Argument(metavar="BASELINE", help="Run id or file.", show_default=False)]
CandidatesArgument = Annotated[
    list[str], typer.Argument(metavar="CANDIDATE...", help="Run ids or files.", show_default=False)
]
OtherBaselinesOption = Annotated[
    list[str] | None, typer.Option("--baseline", metavar="RUN", help="One more baseline, for candidates of its suite.")
]
SuiteOption = Annotated[
    Path | None,
    typer.Option("--suite", metavar="FILE", help="The suite of runs from files: checks its plan, shows prompts."),
]
PowerOption = Annotated[
    float, typer.Option(min=0.01, max=0.999, metavar="CHANCE", help="Chance with which missing cases would prove it.")
]
BootstrapOption = Annotated[
    bool, typer.Option("--bootstrap", help="Intervals of scores of degrees by resampling instead of Student's t.")
]
HtmlOption = Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write a report, one file, to share.")]


def compare(
    context: typer.Context,
    baseline: BaselineArgument,
    candidates: CandidatesArgument,
    *,
    baselines: OtherBaselinesOption = None,
    suite: SuiteOption = None,
    traffic: TrafficOption = None,
    bootstrap: BootstrapOption = False,
    power: PowerOption = 0.8,
    to: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Keep the comparison, for `eval show`.")
    ] = None,
    html: HtmlOption = None,
    json: JsonOption = False,
) -> None:
    """Compare runs of one suite: where is a candidate good enough?

    Margin and alpha are the suite's, fixed before its runs. All strata of all candidates are one decision (Holm). The
    figures for all cases are for reading: no average decides.
    """
    report = compared(
        context,
        [baseline, *(baselines or ())],
        candidates,
        suite=suite,
        traffic=traffic,
        bootstrap=bootstrap,
        power=power,
    )
    write_report(report, to=to, html=html)
    if json:
        output.print_json(report)
    else:
        print_report(report)


def compared(
    context: typer.Context,
    baselines: Sequence[str],
    candidates: Sequence[str],
    *,
    suite: Path | None,
    traffic: str | None,
    bootstrap: bool = False,
    power: float = 0.8,
) -> ComparisonReport:
    """Read the named runs and compare them.

    Raises:
        ConfigurationError: a run or the traffic cannot be read, or the runs cannot be compared.
        NotFound: there is no such run.
    """
    loaded = load_runs(context, [*baselines, *candidates], suite_file=suite)
    runs = [one.run for one in loaded]
    return report_on(
        runs[: len(baselines)],
        runs[len(baselines) :],
        cases=cases_of(loaded),
        traffic=read_traffic(context, traffic),
        bootstrap=bootstrap,
        power=power,
        admissions=admissions_of(context, runs),
    )


def write_report(report: ComparisonReport, *, to: Path | None, html: Path | None) -> None:
    """Write the comparison to the files that were named, whole or not at all."""
    if to is not None:
        with private_sink(to) as sink:
            sink.write(msgspec.json.format(msgspec.json.encode(report), indent=2))
        output.note(f"comparison written to {to}")
    if html is not None:
        from trimtab.cli.eval_html import report_page

        with private_sink(html) as sink:
            sink.write(report_page(report).encode())
        output.note(f"report written to {html}; it holds prompts and answers")
