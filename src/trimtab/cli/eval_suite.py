"""``trimtab eval suite``: import, check and show suites."""

import typer

from trimtab.cli.eval_suite_show import show_suite

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("show")(show_suite)
