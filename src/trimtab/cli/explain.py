"""``trimtab explain``: why a call went, or a workload goes, to its model."""

from typing import Annotated

import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.explanation import print_explanation
from trimtab.cli.filters import JsonOption
from trimtab.control import CallExplanation, WorkloadExplanation, local_operator
from trimtab.control.numbers import instant, ms, percent, quality, usd

CALL_PREFIX = "call_"


def run(
    context: typer.Context,
    subject: Annotated[
        str, typer.Argument(metavar="CALL|WORKLOAD", help="A call's id (`call_…`) or a workload's name.")
    ],
    json: JsonOption = False,
) -> None:
    """Say why: the inputs, who was removed and by which rule, the scores of the rest, and who would be next."""
    operator = local_operator()
    with invocation_of(context).open_desk() as desk:
        of_call = desk.explain_call(operator, subject) if subject.startswith(CALL_PREFIX) else None
        of_workload = desk.explain_workload(operator, subject) if of_call is None else None
    if json:
        output.print_json(of_call or of_workload)
    elif of_call is not None:
        _print_call(of_call)
    elif of_workload is not None:
        _print_workload(of_workload)


def _print_call(explained: CallExplanation) -> None:
    call = explained.call
    answered = call.model or "nobody"
    output.print_line(f"{call.call_id}  {instant(call.started_at_us)}  app {call.app}, workload {call.workload}")
    output.print_line(
        f"{call.status}: answered by {answered}, {usd(call.cost_nano_usd)}, {ms(call.latency_ms)}"
        + (f", {len(call.attempts)} attempts" if len(call.attempts) > 1 else "")
    )
    for attempt in call.attempts if len(call.attempts) > 1 else ():
        output.print_line(f"  {attempt.model}: {attempt.outcome}, {ms(attempt.latency_ms)}")
    for judged in explained.feedback:
        output.print_line(f"  feedback by {judged.source}: {judged.score_fraction:.2f}")
    output.print_line()
    if explained.current is None:
        output.print_line(f"No decision is recorded: the call came from {call.source}, so nobody here chose its model.")
        output.print_line(f"What policy says of its workload now: trimtab explain {call.workload}")
    else:
        print_explanation(explained.current)


def _print_workload(explained: WorkloadExplanation) -> None:
    unpriced = f", {explained.n_unpriced:,} unpriced" if explained.n_unpriced else ""
    n_calls = f"{output.counted(explained.n_calls, 'call')}{_imported(explained)}"
    output.print_line(f"{explained.workload}: {n_calls}, {usd(explained.cost_nano_usd)}{unpriced}")
    output.print_table(
        ["Model", ">Calls", ">Share", ">Cost", "Quality"],
        (
            [m.model, m.n_calls, percent(m.share), output.Usd(m.cost_nano_usd), quality(m.quality)]
            for m in explained.models
        ),
    )
    output.print_line()
    output.print_line(explained.basis)
    if explained.current is not None:
        output.print_line()
        print_explanation(explained.current)


def _imported(explained: WorkloadExplanation) -> str:
    if explained.n_imported == explained.n_calls:
        return ", all imported"
    return f", {explained.n_imported:,} of them imported" if explained.n_imported else ""
