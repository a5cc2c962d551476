"""One evaluation: a suite over several models, each a run of its own, all through one gateway at the same time."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import dataclass, field, replace

from trimtab.core import Clock, SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import Option, Patience, RunPlan, ScorerSpec, Suite
from trimtab.replay.evaluating import Done, Grader, Manner, begin_run, fill_run, first_of, holding, unfinished_run
from trimtab.store import EvaluationStore, StoredRun
from trimtab.wiring.evaluating.asker import Asker
from trimtab.wiring.evaluating.judges import Bench
from trimtab.wiring.evaluating.targets import Estimator, RunEstimate, Target, find_target
from trimtab.wiring.evaluating.wire import Sampling
from trimtab.wiring.pool import pool_of
from trimtab.wiring.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What somebody wants evaluated, and how."""

    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    n_samples: int = 1
    deadline_s: float = 120.0
    scorer: ScorerSpec | None = None
    """Instead of the one that the suite's plan names."""
    n_concurrent: Mapping[str, int] | int | None = None
    """For all models, or by name; what is not named has its engine's slots, or 4."""
    has_cache: bool = True
    is_new: bool = False
    """Whether to begin again although an unfinished run is there."""
    url: str | None = None
    """Of a gateway that runs; ``None`` opens one for the time of the runs."""
    key: str | None = None
    sensitivity: str | None = None

    @property
    def options(self) -> dict[str, Option]:
        """What a run's plan says of it; only what can change an answer."""
        return {
            "temperature": self.sampling.temperature,
            "max_tokens": self.sampling.max_tokens,
            "stream": self.sampling.is_stream,
            "seed": self.seed,
            "samples": self.n_samples,
            "deadline_s": self.deadline_s,
            **({} if self.sensitivity is None else {"sensitivity": self.sensitivity}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One model of an evaluation."""

    target: Target
    plan: RunPlan
    unfinished: StoredRun | None
    """The interrupted run that goes on."""
    estimate: RunEstimate


OnPart = Callable[[Part, Done], None]


class Evaluation:
    """A suite, the models to ask, and where the answers go. Making one asks nothing and writes nothing.

    Args:
        settings: Pool, prices and engines.
        store: Where runs are.
        suite: What is asked.
        models: Whom; names as callers use them.
        order: How.

    Raises:
        ConfigurationError: a scorer or model cannot be used, or the suite changed under an unfinished run.
        UnknownModel: no such model is in the pool.
    """

    def __init__(
        self, settings: Settings, store: EvaluationStore, suite: Suite, models: Sequence[str], order: Order
    ) -> None:
        self._settings, self._store, self.suite, self._order = settings, store, suite, order
        self._clock: Clock = SystemClock()
        self._bench = Bench(pool_of(settings), suite)
        self._grader = Grader(suite, self._bench.scorer, instead=order.scorer)
        self.parts = self._parts(models)

    @property
    def models(self) -> list[str]:
        """Everybody who will be asked, judges included."""
        return [*(part.target.name for part in self.parts), *self._bench.models]

    def _parts(self, models: Sequence[str]) -> list[Part]:
        estimator = Estimator(self._settings, self._store, self.suite, self._order.sampling)
        parts: dict[str, Part] = {}
        for name in models:
            target = self._target(name)
            if target.name in parts:
                raise ConfigurationError(f"Model {target.name!r} is named twice.", hint="Name each once in --models.")
            plan = self._plan(target)
            unfinished = None if self._order.is_new else unfinished_run(self._store, plan)
            estimate = estimator.estimate(target, plan, unfinished, has_cache=self._order.has_cache)
            parts[target.name] = Part(target=target, plan=plan, unfinished=unfinished, estimate=estimate)
        return list(parts.values())

    def _target(self, name: str) -> Target:
        target = find_target(self._settings, name, is_outside=self._order.url is not None)
        wanted = self._order.n_concurrent
        if isinstance(wanted, Mapping):
            wanted = wanted.get(name, wanted.get(target.name))
        return target if wanted is None else replace(target, n_concurrent=wanted)

    def _plan(self, target: Target) -> RunPlan:
        return RunPlan(
            suite_name=self.suite.name,
            suite_version=self.suite.version,
            suite_digest=self.suite.digest,
            model=target.name,
            model_version=None if target.card is None else target.card.version,
            model_digest=target.digest,
            scorers=self._grader.uses,
            options=self._order.options,
        )

    async def run(
        self, gateway: AbstractAsyncContextManager[Asker], on_done: OnPart = lambda part, done: None
    ) -> list[StoredRun]:
        """Ask everything that is left to ask, all models at the same time.

        Args:
            gateway: Opened for the time of the runs.
            on_done: Told after each result.

        Returns:
            The runs in the order of the models.

        Raises:
            ConfigurationError: a scorer gave something that is no score, or somebody else fills one of the runs.
            StoreError: the database failed.
        """
        with ExitStack() as held:
            begun = []
            for part in self.parts:
                run = part.unfinished or begin_run(self._store, self.suite, part.plan, self._clock, is_new=True)
                held.enter_context(holding(self._settings.data_dir / "run", run))
                begun.append(run)
            async with gateway as asker:
                self._bench.open(asker)
                try:
                    async with asyncio.TaskGroup() as filling:
                        for part, run in zip(self.parts, begun, strict=True):
                            filling.create_task(self._fill(part, run, asker, on_done))
                except ExceptionGroup as group:
                    raise first_of(group) from group
        return [self._store.find(run.run_id) for run in begun]

    async def _fill(self, part: Part, run: StoredRun, asker: Asker, on_done: OnPart) -> None:
        manner = Manner(
            n_concurrent=part.target.n_concurrent,
            patience=Patience(deadline_s=self._order.deadline_s),
            has_cache=self._order.has_cache,
        )
        ask = asker.asking(part.target.name, self._order.sampling)
        await fill_run(
            self._store, run, self.suite, ask, self._grader, manner, on_done=lambda done: on_done(part, done)
        )
