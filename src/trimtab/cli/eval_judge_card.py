"""``trimtab eval judge card``: let a judge judge what people labelled, and keep how often it was right."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import Invocation, invocation_of
from trimtab.cli.eval_judge_asking import JudgeBench, announce, judge_specs
from trimtab.cli.eval_judge_options import LabelsOption, SourceArgument, cards_folder, labels_file, suite_of
from trimtab.cli.eval_judge_print import print_card
from trimtab.cli.filters import JsonOption
from trimtab.cli.options import with_options
from trimtab.cli.spending import ask_to_spend
from trimtab.evaluation import Suite
from trimtab.evaluation.judging import (
    Admission,
    AdmissionFloor,
    JudgeCard,
    MeasurePlan,
    admit,
    load_labels,
    save_card,
)

_DEFAULT = MeasurePlan()


class MeasuredJudge(msgspec.Struct, frozen=True, kw_only=True):
    """A judge's card, and what a gate makes of it."""

    judge_digest: str
    card: JudgeCard
    admission: Admission


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingOptions:
    """How much is asked, and who may spend."""

    model: Annotated[
        str | None, typer.Option("--model", "-m", metavar="NAME", help="Another model by the suite's rubric.")
    ] = None
    attacks: Annotated[
        int, typer.Option(min=0, metavar="N", help="Bad answers at most that then demand the best rating.")
    ] = _DEFAULT.n_attacks
    pairs: Annotated[
        int, typer.Option(min=0, metavar="N", help="Cases at most of which a good and a bad answer are compared.")
    ] = _DEFAULT.n_pairs
    concurrency: Annotated[int, typer.Option(min=1, metavar="N", help="Questions at a time.")] = _DEFAULT.n_concurrent
    ask_above: Annotated[
        float, typer.Option(min=0, metavar="USD", help="Estimates above it, and unknown ones, need a yes.")
    ] = 1.0
    yes: Annotated[bool, typer.Option("--yes", help="Spend the estimate without asking.")] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would ask and cost, and stop.")] = False

    @property
    def plan(self) -> MeasurePlan:
        """How much is asked."""
        return MeasurePlan(n_attacks=self.attacks, n_pairs=self.pairs, n_concurrent=self.concurrency)


@with_options
def measure_judges(
    context: typer.Context,
    source: SourceArgument,
    labels: LabelsOption = None,
    *,
    asking: AskingOptions,
    json: JsonOption = False,
) -> None:
    """Let a suite's judge judge what people labelled, and keep how often it was right.

    The card says how many good answers it passes and bad ones it fails, with bounds; whether it agrees beyond chance;
    whether it obeys an answer that demands the best rating; whether it likes a place; and whether gates admit it.
    """
    invocation = invocation_of(context)
    settings = invocation.settings()
    suite = suite_of(invocation, source)
    bench = JudgeBench(settings, suite, judge_specs(suite, asking.model))
    cards = ask_judges(invocation, suite, bench, labels, asking, json=json)
    if cards is not None:
        _print(suite, cards, json=json)


def ask_judges(
    invocation: Invocation, suite: Suite, bench: JudgeBench, labels: Path | None, asking: AskingOptions, *, json: bool
) -> list[JudgeCard] | None:
    """Say what it costs, ask the judges and keep their new cards; ``None`` after a dry run.

    Raises:
        ConfigurationError: there are no labels, or nobody agreed to the cost.
    """
    settings = invocation.settings()
    found = load_labels(labels_file(settings, suite, labels))
    estimates = bench.estimate(found, asking.plan)
    announce(estimates)
    if asking.dry_run:
        if json:
            output.print_json(estimates)
        return None
    if not asking.yes:
        ask_to_spend(estimates, asking.ask_above, hint="--yes says that this is meant; --dry-run only counts.")
    cards = bench.measure(invocation, found, asking.plan, n_total=sum(one.n_questions for one in estimates))
    for card in cards:
        save_card(cards_folder(settings), card)
    return cards


def _print(suite: Suite, cards: Sequence[JudgeCard], *, json: bool) -> None:
    floor = AdmissionFloor(rate=suite.plan.judge_floor)
    measured = [
        MeasuredJudge(judge_digest=card.judge_digest, card=card, admission=admit(card, floor)) for card in cards
    ]
    if json:
        output.print_json(measured)
        return
    for number, one in enumerate(measured):
        if number:
            output.print_line()
        print_card(one.card, one.admission)
