"""``trimtab doctor``: what surrounds this installation?"""

import typer

from trimtab.cli.check import report
from trimtab.cli.context import invocation_of
from trimtab.cli.filters import JsonOption
from trimtab.wiring.checking import diagnose


def run(context: typer.Context, json: JsonOption = False) -> int:
    """Look at Python, extras, data directory, database, ports, and what could serve models here."""
    return report(diagnose(invocation_of(context).settings()), json=json)
