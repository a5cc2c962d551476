"""``trimtab eval``: suites, runs, comparisons and gates, one file a command (``eval_suite.py``, ``eval_run.py``)."""

import typer

from trimtab.cli.eval_judge import app as judges
from trimtab.cli.eval_suite import app as suites

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.add_typer(judges, name="judge", help="Label answers, and measure the judges of suites.")
app.add_typer(suites, name="suite", help="Import, check and show suites.")
