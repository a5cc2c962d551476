"""``trimtab eval judge check``: may gates believe a judge, and does it still judge as it did?"""

from collections.abc import Sequence
from typing import Annotated

import msgspec
import typer

from trimtab.cli import output
from trimtab.cli.context import invocation_of
from trimtab.cli.eval_judge_asking import JudgeBench, judge_specs
from trimtab.cli.eval_judge_card import AskingOptions, ask_judges
from trimtab.cli.eval_judge_options import LabelsOption, SourceArgument, cards_folder, suite_of
from trimtab.cli.eval_judge_print import print_card, print_drift
from trimtab.cli.filters import JsonOption
from trimtab.cli.options import with_options
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Suite
from trimtab.evaluation.judging import (
    Admission,
    AdmissionFloor,
    JudgeCard,
    JudgeDrift,
    PairwiseJudge,
    RubricJudge,
    admit,
    drift_between,
    judge_digest_of,
    load_cards,
)
from trimtab.wiring import Settings

NO = 1
"""Exit code when a judge is not admitted, or has drifted."""


class CheckedJudge(msgspec.Struct, frozen=True, kw_only=True):
    """Where a judge stands now."""

    judge_digest: str
    card: JudgeCard
    """The newest."""
    admission: Admission
    drift: JudgeDrift | None
    """Since its first card; ``None`` when no answer was judged both times, or when there is one card only."""
    is_fit: bool
    """Whether gates may go on believing it: admitted, and not shown to have drifted."""


@with_options
def check_judges(
    context: typer.Context,
    source: SourceArgument,
    labels: LabelsOption = None,
    kept: Annotated[bool, typer.Option("--kept", help="Ask nothing: decide by the cards that are kept.")] = False,
    *,
    asking: AskingOptions,
    json: JsonOption = False,
) -> int:
    """Judge the labelled answers again, and say whether gates may go on believing the judge.

    Exits 1 when it is not admitted, or is shown to be more or less often right than on its first card. Whoever looks
    every day sees a false alarm in one of twenty checks.
    """
    invocation = invocation_of(context)
    settings = invocation.settings()
    suite = suite_of(invocation, source)
    bench = JudgeBench(settings, suite, judge_specs(suite, asking.model))
    if kept:
        _require_cards(settings, suite, bench)
    elif ask_judges(invocation, suite, bench, labels, asking, json=json) is None:
        return 0
    checked = [_checked(suite, _cards(settings, suite, judge)) for judge in bench.judges]
    _print(checked, json=json)
    return 0 if all(one.is_fit for one in checked) else NO


def _require_cards(settings: Settings, suite: Suite, bench: JudgeBench) -> None:
    for judge in bench.judges:
        if not _cards(settings, suite, judge):
            raise ConfigurationError(
                f"Nobody has measured {judge.model.name} as judge of {suite.name!r}.",
                hint="`trimtab eval judge card` measures it.",
            )


def _cards(settings: Settings, suite: Suite, judge: RubricJudge | PairwiseJudge) -> list[JudgeCard]:
    digest = judge_digest_of(judge.spec, judge.version)
    return load_cards(cards_folder(settings), judge_digest=digest, suite_name=suite.name)


def _checked(suite: Suite, cards: list[JudgeCard]) -> CheckedJudge:
    newest = cards[-1]
    drift = drift_between(cards[0], newest) if len(cards) > 1 else None
    admission = admit(newest, AdmissionFloor(rate=suite.plan.judge_floor))
    return CheckedJudge(
        judge_digest=newest.judge_digest,
        card=newest,
        admission=admission,
        drift=drift,
        is_fit=admission.is_admitted and not (drift is not None and drift.has_drifted),
    )


def _print(checked: Sequence[CheckedJudge], *, json: bool) -> None:
    if json:
        output.print_json(checked)
        return
    for number, one in enumerate(checked):
        if number:
            output.print_line()
        print_card(one.card, one.admission)
        print_drift(one.drift)
