"""``trimtab eval judge correct``: what a judged run is worth, corrected by what people labelled of it."""

from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.eval_judge_options import LabelsOption, labels_file, runs_of
from trimtab.cli.filters import JsonOption
from trimtab.evaluation.judging import corrected_difference, corrected_quality, load_labels

_LABEL = 10


def correct_judged(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run that a judge graded.", show_default=False)],
    baseline: Annotated[
        str | None, typer.Option("--baseline", metavar="RUN", help="Correct the difference to this run.")
    ] = None,
    labels: LabelsOption = None,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, metavar="C", help="Of the intervals.")] = 0.95,
    json: JsonOption = False,
) -> None:
    """Correct what a judge says of a run, or of the difference of two, by labels of a random part of its answers.

    The corrected figure is right on average however the judge errs, and narrower than the labels alone where the judge
    knows something. `trimtab eval judge label` asks for labels in an order of chance.
    """
    invocation = invocation_of(context)
    settings = invocation.settings()
    suite, runs = runs_of(invocation, [run] if baseline is None else [run, baseline])
    found = load_labels(labels_file(settings, suite, labels))
    if baseline is None:
        result, what = corrected_quality(runs[0], found, confidence=confidence), "quality"
    else:
        result, what = corrected_difference(runs[0], runs[1], found, confidence=confidence), "difference"
    if json:
        output.print_json(result)
        return
    names = " less ".join(one.model for one in runs)
    output.print_line(
        f"{what} of {names} on {suite.name}, {confidence:.0%} intervals, n = {result.n_labelled:,} labelled and "
        f"{result.n_unlabelled:,} judged only"
    )
    sign = "+" if baseline is not None else ""
    for label, mean, lower, upper in (
        ("Judged", result.judged, result.judged_lower, result.judged_upper),
        ("Corrected", result.mean, result.lower, result.upper),
    ):
        output.print_pair(label, f"{mean:{sign}.3f} [{lower:{sign}.3f}, {upper:{sign}.3f}]", _LABEL)
    if result.n_left_out:
        output.note(f"{output.counted(result.n_left_out, 'case')} without an answer left out.")
