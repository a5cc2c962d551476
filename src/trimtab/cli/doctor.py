"""``trimtab doctor``: what surrounds this installation?"""

from typing import Annotated

import typer

from trimtab.cli.check import report
from trimtab.cli.context import invocation_of
from trimtab.wiring.checking import diagnose


def run(context: typer.Context, json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> int:
    """Look at Python, extras, data directory, database, ports, and what could serve models here."""
    return report(diagnose(invocation_of(context).settings()), json=json)
