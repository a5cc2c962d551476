"""``trimtab eval gate``: may the candidate take the baseline's place? For people, and for CI by its exit code."""

import typer

from trimtab.cli import output
from trimtab.cli.eval_compare import (
    BaselineArgument,
    CandidatesArgument,
    OtherBaselinesOption,
    PowerOption,
    SuiteOption,
    compared,
)
from trimtab.cli.eval_text import VERDICTS, gate_line, p_text, terms_text, warnings
from trimtab.cli.filters import JsonOption
from trimtab.evaluation import Contest


def gate(
    context: typer.Context,
    baseline: BaselineArgument,
    candidates: CandidatesArgument,
    *,
    baselines: OtherBaselinesOption = None,
    suite: SuiteOption = None,
    power: PowerOption = 0.8,
    json: JsonOption = False,
) -> None:
    """Decide whether each candidate may take the baseline's place. Exit code 0: all may. 1: one may not, or not yet.

    It passes when on every protected stratum the loss is shown to be smaller than the suite's margin. Several
    candidates are one decision (Holm).
    """
    report = compared(context, [baseline, *(baselines or ())], candidates, suite=suite, traffic=None, power=power)
    if json:
        output.print_json([contest.advice.gate for contest in report.contests])
    else:
        for place, contest in enumerate(report.contests):
            if place:
                output.print_line()
            _print_gate(contest)
    if any(contest.advice.gate.is_blocked for contest in report.contests):
        raise typer.Exit(1)


def _print_gate(contest: Contest) -> None:
    comparison, verdict = contest.comparison, contest.advice.gate
    output.print_line(f"{comparison.candidate.model} in the place of {comparison.baseline.model}")
    output.print_line(terms_text(comparison))
    output.print_line()
    output.print_table(
        ["Protected stratum", ">p", "Verdict", "Because"],
        [
            [s.stratum, "-" if s.p_pass is None else p_text(s.p_pass), VERDICTS[s.outcome], s.reason]
            for s in verdict.strata
        ],
    )
    output.print_line()
    output.print_line(gate_line(verdict))
    for line in warnings(comparison):
        output.note(line)
