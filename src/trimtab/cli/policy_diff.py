"""``trimtab policy diff``: what another policy would change."""

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import AppOption, JsonOption
from trimtab.cli.policy_check import FileArgument, read_policy_text
from trimtab.control import PolicyDiff


def diff(context: typer.Context, file: FileArgument, app: AppOption = None, json: JsonOption = False) -> None:
    """Say what a policy would change: in the file, and in the decisions on record."""
    text = read_policy_text(file)
    with invocation_of(context).open_desk() as desk:
        found = desk.diff(text, origin=str(file), app=app)
    if json:
        output.print_json(found)
    else:
        _print_diff(found)


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
