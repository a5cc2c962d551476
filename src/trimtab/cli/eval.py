"""``trimtab eval``: suites, runs, comparisons and gates, one file a command (``eval_suite.py``, ``eval_run.py``)."""

import typer

from trimtab.cli.eval_compare import compare
from trimtab.cli.eval_export import export_run
from trimtab.cli.eval_gate import gate
from trimtab.cli.eval_judge import app as judges
from trimtab.cli.eval_list import list_runs
from trimtab.cli.eval_run import run_suite
from trimtab.cli.eval_score import score_run
from trimtab.cli.eval_show import show
from trimtab.cli.eval_suite import app as suites

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.add_typer(judges, name="judge", help="Label answers, and measure the judges of suites.")
app.add_typer(suites, name="suite", help="Import, check and show suites.")
app.command("compare")(compare)
app.command("gate")(gate)
app.command("show")(show)
app.command("export")(export_run)
app.command("run")(run_suite)
app.command("list")(list_runs)
app.command("score")(score_run)
