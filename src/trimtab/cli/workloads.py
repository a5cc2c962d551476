"""``trimtab workloads``: what each workload costs, on which models, how well."""

import difflib
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption, SourceOption
from trimtab.cli.workloads_classify import classify
from trimtab.control import ModelShare, WorkloadSummary, local_operator
from trimtab.control.numbers import percent, quality, usd
from trimtab.core.errors import NotFound

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("classify", short_help="Say what a request is, and why.")(classify)


@app.command("list", short_help="List workloads with volume, cost and quality.")
def list_workloads(context: typer.Context, source: SourceOption = None, json: JsonOption = False) -> None:
    """List workloads with volume, cost and the quality measured on each model; most calls first."""
    with invocation_of(context).open_desk() as desk:
        workloads = desk.workloads(local_operator(), source)
    if json:
        output.print_json(workloads)
        return
    output.print_table(
        ["Workload", ">Calls", ">Cost", ">Unpriced", "Model", ">Share", "Quality"],
        (row for workload in workloads for row in _rows(workload)),
    )
    if not workloads:
        output.note(
            "No calls are recorded. `trimtab calls import FILE` reads a log; `trimtab serve` records live ones."
        )


@app.command("show")
def show_workload(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The workload.", show_default=False)],
    json: JsonOption = False,
) -> None:
    """Show one workload by model. Why it is on its model: `trimtab explain NAME`."""
    with invocation_of(context).open_desk() as desk:
        workloads = desk.workloads(local_operator())
    summary = _find(workloads, name)
    if json:
        output.print_json(summary)
        return
    n_calls = output.counted(summary.n_calls, "call")
    output.print_line(f"{summary.workload}: {n_calls}, {usd(summary.cost_nano_usd)}{_unpriced(summary)}")
    output.print_table(
        ["Model", ">Calls", ">Share", ">Cost", ">Unpriced", "Quality"],
        (
            [m.model, m.n_calls, percent(m.share), output.Usd(m.cost_nano_usd), m.n_unpriced, quality(m.quality)]
            for m in summary.models
        ),
    )


def _rows(workload: WorkloadSummary) -> list[list[output.Cell]]:
    """Return one line a model; what belongs to the workload stands on the first."""
    head: list[output.Cell] = [
        workload.workload,
        workload.n_calls,
        output.Usd(workload.cost_nano_usd),
        workload.n_unpriced,
    ]
    below: list[output.Cell] = ["", "", "", ""]
    return [(head if place == 0 else below) + _share(share) for place, share in enumerate(workload.models)]


def _share(share: ModelShare) -> list[output.Cell]:
    return [share.model, percent(share.share), quality(share.quality)]


def _unpriced(summary: WorkloadSummary) -> str:
    return f" and {summary.n_unpriced:,} unpriced" if summary.n_unpriced else ""


def _find(workloads: list[WorkloadSummary], name: str) -> WorkloadSummary:
    by_name = {workload.workload: workload for workload in workloads}
    if name not in by_name:
        near = difflib.get_close_matches(name, by_name, n=1)
        raise NotFound(
            f"No call is recorded under workload {name!r}.",
            hint=f"Did you mean {near[0]!r}?" if near else "`trimtab workloads list` shows them all.",
        )
    return by_name[name]
