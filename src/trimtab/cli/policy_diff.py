"""``trimtab policy diff``: what another policy would change."""

from decimal import Decimal
from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import AppOption, JsonOption
from trimtab.cli.policy_check import FileArgument, read_policy_text
from trimtab.control import InfrastructureLine, PolicyDiff
from trimtab.core.errors import ConfigurationError


def diff(
    context: typer.Context,
    file: FileArgument,
    app: AppOption = None,
    add: Annotated[
        list[str] | None,
        typer.Option("--add", metavar="MODEL[=USD]", help="As if this model were served, at so much an hour."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Say what a policy would change: in the file, in the decisions on record, and in what has to be served."""
    text = read_policy_text(file)
    planned = dict(map(_planned, add or ()))
    with invocation_of(context).open_desk() as desk:
        found = desk.diff(text, origin=str(file), app=app, planned=planned)
    if json:
        output.print_json(found)
    else:
        _print_diff(found)


def _planned(text: str) -> tuple[str, Decimal | None]:
    """Read ``provider:model=1.20``; a model's own name may hold anything but an equals sign."""
    name, _, price = text.partition("=")
    if not price:
        return name, None
    try:
        usd_per_hour = Decimal(price)
    except ArithmeticError:
        usd_per_hour = Decimal(-1)
    if not usd_per_hour.is_finite() or usd_per_hour < 0:
        raise ConfigurationError(f"--add {text!r}: {price!r} is no price.", hint="Dollars per hour, such as 1.20.")
    return name, usd_per_hour


def _print_diff(found: PolicyDiff) -> None:
    if not found.changes:
        output.print_line("The file says the same as the policy in force.")
    else:
        output.print_table(["Changed", "In force", "In the file"], ([c.path, c.before, c.after] for c in found.changes))
    decisions = found.decisions
    output.print_line()
    output.print_line(f"{decisions.n_changed:,} of {decisions.n_calls:,} recorded calls would go elsewhere")
    if decisions.moves:
        output.print_table(
            [">Calls", "From", "To"],
            ([m.n_calls, m.before or "refused", m.after or "refused"] for m in decisions.moves),
        )
        output.print_line()
        output.print_table(
            ["For example", "Recorded", "From", "To"],
            ([e.call_id, e.recorded, e.before or "refused", e.after or "refused"] for e in decisions.examples[:5]),
        )
    if found.infrastructure:
        output.print_line()
        output.print_table(["To be served", ">Calls", "Takes", ">Fixed $/month"], map(_need, found.infrastructure))


def _need(line: InfrastructureLine) -> list[output.Cell]:
    takes = "a new endpoint" if line.is_new else "nothing new: it is configured"
    return [line.model, line.n_calls, takes, line.usd_per_month]
