"""``trimtab eval suite``: import, check and show suites."""

import typer

from trimtab.cli.eval_suite_check import check_suites
from trimtab.cli.eval_suite_import import import_suite
from trimtab.cli.eval_suite_show import show_suite

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("import", short_help="Make a suite from a table, a log or the journal.")(import_suite)
app.command("show", short_help="Show strata, sizes, plan and digest.")(show_suite)
app.command("check", short_help="Say everything that is wrong with suites.")(check_suites)
