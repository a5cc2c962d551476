"""``trimtab eval judge``: label answers, measure judges, watch them, and correct what they say."""

import typer

from trimtab.cli.eval_judge_card import measure_judges
from trimtab.cli.eval_judge_check import check_judges
from trimtab.cli.eval_judge_correct import correct_judged
from trimtab.cli.eval_judge_label import label_answers

app = typer.Typer(no_args_is_help=False, rich_markup_mode=None)
app.command("label", short_help="Show answers and keep your verdicts.")(label_answers)
app.command("card", short_help="Measure a suite's judge by your verdicts.")(measure_judges)
app.command("check", short_help="May gates believe it, and does it still judge alike?")(check_judges)
app.command("correct", short_help="Correct a judged run by your verdicts.")(correct_judged)
