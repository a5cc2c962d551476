"""``trimtab audit``: the chained log of every change of policies and keys."""

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.files import private_sink
from trimtab.cli.filters import JsonOption, LimitOption, OutputOption
from trimtab.control.numbers import instant

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)


@app.command("verify")
def verify(context: typer.Context, json: JsonOption = False) -> int:
    """Check the chain. Exits 1 when a record was edited, removed, inserted or moved."""
    with invocation_of(context).open_desk() as desk:
        verdict = desk.verify_audit()
    if json:
        output.print_json(verdict)
    elif verdict.is_intact:
        output.print_line(f"intact: {output.counted(verdict.n_records, 'record')}, head {verdict.head or 'none'}")
    else:
        output.print_line(f"BROKEN: {verdict.problem}")
    return 0 if verdict.is_intact else 1


@app.command("list")
def list_records(
    context: typer.Context,
    limit: LimitOption = 20,
    json: JsonOption = False,
) -> None:
    """List changes, newest first."""
    with invocation_of(context).open_desk() as desk:
        records = desk.audit_records(limit)
    if json:
        output.print_json(records)
        return
    output.print_table(
        [">Number", "When", "Who", "What", "Of", "Detail"],
        ([r.seq, instant(r.at_us), r.actor, r.action, r.subject[:20], r.detail] for r in records),
    )
    if not records:
        output.note("Nothing has been changed yet: policies, keys and models are written down here.")


@app.command("export")
def export(context: typer.Context, to: OutputOption = None) -> None:
    """Write every change as JSON Lines, oldest first. `audit verify` proves the log first; note its head elsewhere."""
    encode = msgspec.json.Encoder().encode
    n_records = 0
    with invocation_of(context).open_desk() as desk, private_sink(to) as sink:
        for record in desk.audit.stream():
            sink.write(encode(record) + b"\n")
            n_records += 1
    output.note(f"{output.counted(n_records, 'record')} written{'' if to is None else f' to {to}'}")
