"""``trimtab eval judge``: label answers, measure judges, watch them, and correct what they say."""

import typer

from trimtab.cli.eval_judge_label import label_answers

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("label", short_help="Show answers and keep your verdicts.")(label_answers)
