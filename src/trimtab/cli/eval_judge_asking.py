"""What measuring judges takes: which ones, what that asks and costs, and a gateway to ask them through."""

import asyncio
from collections.abc import Sequence
from contextlib import closing

import msgspec

from trimtab.catalog import ModelCard, PriceBook
from trimtab.cli import output
from trimtab.cli.context import Invocation
from trimtab.control.numbers import usd
from trimtab.core import BYTES_PER_TOKEN, SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import ScorerSpec, ScorerUse, Suite
from trimtab.evaluation.judging import (
    Anchor,
    JudgeCard,
    JudgeQuestion,
    Label,
    MeasurePlan,
    PairwiseJudge,
    RubricJudge,
    anchors_of,
    judges_of,
    measure_judge,
    n_questions,
)
from trimtab.server import status_of
from trimtab.wiring import Settings, pool_of, price_book_of, stored_probes
from trimtab.wiring.evaluating import Bench, inner_gateway

PROMPT_BYTES = 2_000
"""Of a judge's instructions, the material aside."""


class JudgeEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What measuring one judge asks and costs at most, replies that cannot be read and are asked for again aside."""

    model: str
    n_labels: int
    n_questions: int
    input_tokens: int
    """About, a quarter of the bytes."""
    max_output_tokens: int
    cost_nano_usd: int | None
    """At those tokens; ``None`` when the price is unknown, which is not 0."""
    is_own_machine: bool
    """Whether it runs on an engine that Trimtab starts, which sends nobody a bill."""


def judge_specs(suite: Suite, model: str | None) -> list[ScorerSpec]:
    """Return the judges of a suite, or the same rubrics under another model.

    Raises:
        ConfigurationError: the suite has none.
    """
    named = [suite.plan.scorer, *(case.scorer for case in suite.cases if case.scorer is not None)]
    specs = [use.spec for use in judges_of(ScorerUse(spec=spec) for spec in named)]
    if not specs:
        raise ConfigurationError(
            f"Suite {suite.name!r} has no judge: its scorer is {suite.plan.scorer.name!r}.",
            hint='Name one in its plan: {"scorer": {"name": "judge", "options": {"model": …, "criteria": […]}}}.',
        )
    if model is not None:
        specs = [msgspec.structs.replace(spec, options={**spec.options, "model": model}) for spec in specs]
    return list({msgspec.json.encode(spec, order="sorted"): spec for spec in specs}.values())


class JudgeBench:
    """The judges of a suite on a configuration.

    Args:
        settings: Know the models.
        suite: Has the cases.
        specs: Which judges.

    Raises:
        ConfigurationError: one cannot be made of its options.
        UnknownModel: nobody serves its model.
    """

    def __init__(self, settings: Settings, suite: Suite, specs: Sequence[ScorerSpec]) -> None:
        self._settings, self._suite = settings, suite
        self._bench = Bench(pool_of(settings), suite)
        self.judges = [
            judge for judge in map(self._bench.scorer, specs) if isinstance(judge, RubricJudge | PairwiseJudge)
        ]

    def estimate(self, labels: Sequence[Label], plan: MeasurePlan) -> list[JudgeEstimate]:
        """Return what measuring each takes."""
        anchors, pool = anchors_of(self._suite, labels), pool_of(self._settings)
        prices = price_book_of(self._settings, stored_probes(self._settings))
        return [self._estimate(judge, pool.get(judge.model.name), prices, anchors, plan) for judge in self.judges]

    def _estimate(
        self,
        judge: RubricJudge | PairwiseJudge,
        card: ModelCard,
        prices: PriceBook,
        anchors: Sequence[Anchor],
        plan: MeasurePlan,
    ) -> JudgeEstimate:
        n = n_questions(anchors, plan) + (len(anchors) if isinstance(judge, PairwiseJudge) else 0)
        material = [len(msgspec.json.encode([anchor.case, anchor.label.answer])) for anchor in anchors]
        each = (PROMPT_BYTES + sum(map(len, judge.rubric.criteria)) + max(material)) // BYTES_PER_TOKEN
        longest = JudgeQuestion(messages=()).max_output_tokens
        one = prices.estimate(card, each, longest, SystemClock().now_us())
        return JudgeEstimate(
            model=card.name,
            n_labels=len(anchors),
            n_questions=n,
            input_tokens=n * each,
            max_output_tokens=n * longest,
            cost_nano_usd=None if one is None else n * one,
            is_own_machine=any(engine.name == card.provider for engine in self._settings.engines),
        )

    def measure(
        self, invocation: Invocation, labels: Sequence[Label], plan: MeasurePlan, *, n_total: int
    ) -> list[JudgeCard]:
        """Ask, and return the cards, one for each judge.

        Args:
            invocation: Opens the database.
            labels: What people said.
            plan: How much is asked.
            n_total: About how many questions that is, for whoever watches.

        Raises:
            EngineError: an engine does not start.
            StoreError: the database cannot be opened.
        """
        progress = output.Progress()
        n_done = 0

        def tell() -> None:
            nonlocal n_done
            n_done += 1
            progress.update(f"{n_done:,} of about {n_total:,}")

        async def ask() -> list[JudgeCard]:
            with closing(invocation.open_database()) as database:
                async with inner_gateway(
                    self._settings, database, self._bench.models, status_of=status_of, say=progress.update
                ) as asker:
                    self._bench.open(asker)
                    clock = SystemClock()
                    return [
                        await measure_judge(judge, self._suite, labels, clock=clock, plan=plan, on_asked=tell)
                        for judge in self.judges
                    ]

        try:
            return asyncio.run(ask())
        finally:
            progress.clear()


def announce(estimates: Sequence[JudgeEstimate]) -> None:
    """Say on stderr what will be asked, and what that costs."""
    for one in estimates:
        price = (
            "its price is unknown"
            if one.cost_nano_usd is None
            else f"at most {usd(one.cost_nano_usd)} where each reply can be read at once"
        )
        output.note(
            f"{one.model}: {one.n_questions:,} questions about {output.counted(one.n_labels, 'label')}; about "
            f"{one.input_tokens:,} input and at most {one.max_output_tokens:,} output tokens; {price}."
        )
