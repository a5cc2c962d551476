"""``trimtab check``: does the configuration hold together?"""

from collections.abc import Iterable

import typer

from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.cli.output import note, print_json, print_table
from trimtab.wiring.checking import Finding, check


def run(context: typer.Context, json: JsonOption = False) -> int:
    """Try models, prices, policy and providers. Exits 1 when something would not work. Nothing is spent."""
    return report(check(invocation_of(context).settings()), json=json)


def report(findings: Iterable[Finding], *, json: bool) -> int:
    """Print findings; return 1 when one failed."""
    rows = list(findings)
    if json:
        print_json(rows)
    else:
        print_table(["What", "Verdict", "Found"], ([row.subject, row.verdict, row.message] for row in rows))
        for row in rows:
            if row.hint and row.verdict != "ok":
                note(f"hint:  {row.subject}: {row.hint}")
    return 1 if any(row.verdict == "failed" for row in rows) else 0
