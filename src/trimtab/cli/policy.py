"""``trimtab policy``: check, compare, simulate, apply and roll back policies."""

from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.cli.policy_check import FileArgument, lint, read_policy_text, run_tests
from trimtab.cli.policy_diff import diff
from trimtab.cli.policy_simulate import simulate
from trimtab.control import Applied, local_operator
from trimtab.control.numbers import instant
from trimtab.core.errors import NotFound
from trimtab.policy import policy_json_schema
from trimtab.store import PolicyVersion

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("lint", short_help="Say what is wrong or doubtful in a policy.")(lint)
app.command("test")(run_tests)
app.command("diff", short_help="Say what a policy would change.")(diff)
app.command("simulate", short_help="Say what policies would have cost and achieved.")(simulate)

VersionArgument = Annotated[
    str | None, typer.Argument(metavar="VERSION", help="Version, or its first digits.", show_default=False)
]


@app.command("apply", short_help="Check a policy and put it in force.")
def apply(context: typer.Context, file: FileArgument, json: JsonOption = False) -> None:
    """Check a policy and put it in force: running workers follow within a second, and no call is dropped."""
    text = read_policy_text(file)
    with invocation_of(context).open_desk() as desk:
        applied = desk.policies.apply(text, origin=str(file), actor=local_operator().actor)
    _say(applied, json=json)


@app.command("rollback", short_help="Put an earlier version in force again.")
def rollback(context: typer.Context, version: VersionArgument = None, json: JsonOption = False) -> None:
    """Put an earlier version in force again: the given one, or the one before the current."""
    with invocation_of(context).open_desk() as desk:
        applied = desk.policies.rollback(actor=local_operator().actor, version=version)
    _say(applied, json=json)


@app.command("list")
def list_versions(context: typer.Context, json: JsonOption = False) -> None:
    """List every change of the policy in force, newest first."""
    with invocation_of(context).open_desk() as desk:
        versions = desk.policies.versions()
    if json:
        output.print_json(versions)
        return
    output.print_table(
        ["Version", "Name", "In force since", "By", "How", "From"],
        ([v.version[:12], v.name, instant(v.applied_at_us), v.actor, v.action, v.origin] for v in versions),
    )
    if not versions:
        output.note("No policy was ever put in force: `trimtab policy apply FILE`.")


@app.command("show", short_help="Print a policy as its author wrote it.")
def show(context: typer.Context, version: VersionArgument = None, json: JsonOption = False) -> None:
    """Print a policy as its author wrote it: the one in force, or an earlier version."""
    with invocation_of(context).open_desk() as desk:
        found = desk.policies.current() if version is None else _find(desk.policies.versions(), version)
    if found is None:
        raise NotFound("No policy is in force.", hint="Apply one with `trimtab policy apply FILE`.")
    if json:
        output.print_json(found)
    else:
        output.print_line(found.source.removesuffix("\n"))


@app.command("schema")
def schema() -> None:
    """Print the JSON Schema of a policy file, for editors."""
    output.print_json(policy_json_schema())


def _find(versions: list[PolicyVersion], prefix: str) -> PolicyVersion:
    found = {row.version: row for row in versions if row.version.startswith(prefix)}
    if len(found) != 1:
        raise NotFound(
            f"{len(found) or 'No'} policy version{'s begin' if found else ' begins'} with {prefix!r}.",
            hint="`trimtab policy list` shows every version.",
        )
    return next(iter(found.values()))


def _say(applied: Applied, *, json: bool) -> None:
    if json:
        output.print_json(applied)
        return
    verb = "in force" if applied.is_new else "in force already"
    output.print_line(f"{applied.name} {applied.version[:12]} is {verb}")
    if applied.is_new:
        output.print_line(f"previous: {applied.previous[:12] if applied.previous else 'none'}")
