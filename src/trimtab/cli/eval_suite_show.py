"""``trimtab eval suite show``: what a suite asks, and whether that is enough for its plan."""

from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.eval_suite_options import SkipInvalidOption, SuiteArgument, opened_suite
from trimtab.cli.filters import JsonOption
from trimtab.control.numbers import percent
from trimtab.evaluation import Plan, StratumSize, stratum_sizes


class ShownSuite(msgspec.Struct, frozen=True, kw_only=True):
    """A suite in figures."""

    suite: str
    version: str
    digest: str
    """Sha256 of plan and cases; two suites with the same digest ask the same."""
    n_cases: int
    plan: Plan
    strata: tuple[StratumSize, ...]
    """By name."""


def show_suite(
    file: SuiteArgument,
    discordance: Annotated[
        float,
        typer.Option(min=0.0001, max=1, metavar="SHARE", help="Share of cases on which two models may well differ."),
    ] = 0.1,
    power: Annotated[
        float, typer.Option(min=0.01, max=0.999, metavar="CHANCE", help="Chance of a yes that sizes are planned for.")
    ] = 0.8,
    skip_invalid: SkipInvalidOption = False,
    json: JsonOption = False,
) -> None:
    """Show a suite's strata, sizes, plan and digest, and how many cases the plan's margin takes in each stratum.

    That number holds for a candidate that is truly as good as the baseline, and grows with the share of cases on which
    the two differ. It is a plan; the gate decides by what was seen.
    """
    suite = opened_suite(file, skip_invalid=skip_invalid)
    shown = ShownSuite(
        suite=suite.name,
        version=suite.version,
        digest=suite.digest,
        n_cases=len(suite.cases),
        plan=suite.plan,
        strata=stratum_sizes(suite, discordance=discordance, power=power),
    )
    if json:
        output.print_json(shown)
        return
    output.print_line(f"{suite.name} version {suite.version}, {output.counted(shown.n_cases, 'case')}")
    output.print_line(f"digest {shown.digest}")
    output.print_line(plan_line(suite.plan))
    output.print_line()
    columns = ["Stratum", ">Cases", ">Share", ">Traffic", "May veto", ">Needed", ">Power"]
    output.print_table(columns, map(_row, shown.strata))
    output.note(
        f"Needed: cases that prove an equally good model not worse by {suite.plan.margin:.1%} with chance {power:.0%}, "
        f"when {discordance:.0%} of the cases differ. Power: that chance with the cases there are."
    )


def plan_line(plan: Plan) -> str:
    """Return a plan on one line."""
    options = "".join(f", {name} {value}" for name, value in plan.scorer.options.items())
    return f"scorer {plan.scorer.name}{options}; margin {plan.margin:.1%}, alpha {plan.alpha:g}"


def _row(size: StratumSize) -> list[output.Cell]:
    return [
        size.stratum,
        size.n_cases,
        percent(size.share),
        percent(size.traffic_share),
        "yes" if size.is_protected else "no",
        size.n_needed,
        percent(size.power),
    ]
