"""``trimtab eval show``: one run, or a comparison that was kept."""

from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.eval_compare import HtmlOption, SuiteOption, write_report
from trimtab.cli.eval_records import load_shown
from trimtab.cli.eval_text import print_profiles, print_report
from trimtab.cli.filters import JsonOption
from trimtab.control.numbers import instant
from trimtab.evaluation import ComparisonReport, Run, profile_of


def show(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(metavar="RUN|COMPARISON", help="Run id, or a file with either.", show_default=False)
    ],
    *,
    suite: SuiteOption = None,
    html: HtmlOption = None,
    json: JsonOption = False,
) -> None:
    """Show a run or a kept comparison, with intervals and n.

    A comparison is kept by `eval compare --output`.
    """
    found = load_shown(context, name, suite_file=suite)
    if isinstance(found, ComparisonReport):
        write_report(found, to=None, html=html)
        if json:
            output.print_json(found)
        else:
            print_report(found)
        return
    profile = profile_of(found.run)
    write_report(ComparisonReport(profiles=(profile,), contests=()), to=None, html=html)
    if json:
        output.print_json(profile)
        return
    output.print_line(_title(found.run))
    output.print_line()
    print_profiles([profile])


def _title(run: Run) -> str:
    weights = "" if run.model_digest is None else f", weights {run.model_digest[:12]}"
    return (
        f"{run.model}{weights} over suite {run.suite_name} ({run.suite_digest[:12]}), scorer {run.scorer}, "
        f"{instant(run.started_at_us)}"
    )
