"""``trimtab calls``: import, list, show and export calls."""

from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.calls_export import export_calls
from trimtab.cli.calls_import import import_calls
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import CallOptions, JsonOption, LimitOption
from trimtab.cli.options import with_options
from trimtab.control import local_operator
from trimtab.control.numbers import instant, ms
from trimtab.core import CallRecord, JournalEntry
from trimtab.ingest import flatten

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("import")(import_calls)
app.command("export")(export_calls)


@app.command("list")
@with_options
def list_calls(context: typer.Context, chosen: CallOptions, limit: LimitOption = 20, json: JsonOption = False) -> None:
    """List calls, newest first."""
    filter = chosen.filter()
    with invocation_of(context).open_desk() as desk:
        calls = desk.calls(local_operator(), filter, limit=limit)
    if json:
        output.print_json([flatten(JournalEntry(call=call), bodies=False) for call in calls])
        return
    columns = ["Call", "Started", "Workload", "Model", "Status", ">In", ">Out", ">Cost", ">Latency"]
    output.print_table(columns, map(_row, calls))
    if not calls:
        output.note("No calls match. `trimtab calls import FILE` reads a log; `trimtab serve` records live calls.")


@app.command("show")
def show_call(
    context: typer.Context,
    call_id: Annotated[str, typer.Argument(metavar="CALL", help="Id of the call, `call_…`.")],
    bodies: Annotated[bool, typer.Option("--bodies", help="Show prompt and answer, where they were kept.")] = False,
    json: JsonOption = False,
) -> None:
    """Show one call with everything recorded of it. Why it went where it went: `trimtab explain CALL`."""
    with invocation_of(context).open_desk() as desk:
        entry = desk.entry(local_operator(), call_id)
    row = flatten(entry, bodies=bodies)
    if json:
        output.print_json(row)
        return
    for name, value in row.items():
        if value is not None and name not in ("attempts", "request_body", "response_body"):
            output.print_line(f"{name:18} {output.plain(value)}")
    _print_attempts(entry.call)
    if bodies:
        _print_bodies(entry)


def _row(call: CallRecord) -> list[output.Cell]:
    return [
        call.call_id,
        instant(call.started_at_us),
        call.workload,
        call.model,
        call.status if call.error_code is None else f"{call.status}: {call.error_code}",
        call.usage.input_tokens,
        call.usage.output_tokens,
        output.Usd(call.cost_nano_usd),
        ms(call.latency_ms),
    ]


def _print_attempts(call: CallRecord) -> None:
    for number, attempt in enumerate(call.attempts, start=1):
        status = f" (HTTP {attempt.status})" if attempt.status is not None else ""
        output.print_line(
            f"{f'attempt {number}':18} {attempt.model}: {attempt.outcome}{status}, {ms(attempt.latency_ms)}"
        )


def _print_bodies(entry: JournalEntry) -> None:
    for title, body in (("Request", entry.request_body), ("Response", entry.response_body)):
        output.print_line()
        if body is None:
            output.print_line(f"{title}: not kept (store mode {entry.call.store_mode})")
        else:
            output.print_line(f"{title}\n{body.decode('utf-8', 'replace')}")
