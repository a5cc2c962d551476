"""What a run will ask: its models with what identifies them, and what asking them will cost at most."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import msgspec

from trimtab.catalog import ModelCard, Pool, PriceBook
from trimtab.core import BYTES_PER_TOKEN, SystemClock
from trimtab.core.errors import ConfigurationError
from trimtab.evaluation import RunPlan, Suite, is_routed
from trimtab.serving import EngineConfig, digest_of
from trimtab.store import EvaluationStore, Position, StoredRun
from trimtab.wiring.evaluating.wire import Sampling, chat_body
from trimtab.wiring.pool import pool_of, price_book_of
from trimtab.wiring.probing import stored_probes
from trimtab.wiring.settings import Settings

DEFAULT_CONCURRENCY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One model that a run asks."""

    name: str
    """``provider:model``, ``auto``, ``workload/NAME``, or what a server outside the configuration calls it."""
    card: ModelCard | None = None
    engine: EngineConfig | None = None
    """Set where the model runs on a machine of our own that Trimtab starts."""
    digest: str | None = None
    """Sha256 of the weights."""
    n_concurrent: int = DEFAULT_CONCURRENCY


class RunEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """What a run over one model will ask, and what that costs at most."""

    model: str
    n_requests: int
    """Cases times samples."""
    n_recorded: int
    """Of these, results that an interrupted run has already."""
    n_cached: int
    """Answers that earlier runs got; they cost nothing."""
    input_tokens: int
    """Of what is left to ask, a quarter of its bytes."""
    max_output_tokens: int
    """Were every answer as long as it may be."""
    cost_nano_usd: int | None
    """At those tokens; ``None`` when a price is unknown, which is not 0."""
    is_own_machine: bool = False
    """Whether it runs on an engine that Trimtab starts: asking it sends nobody a bill, whatever its price says."""
    usd_per_hour: Decimal | None = None
    """Of a machine that is paid by the hour, where configured."""

    @property
    def n_left(self) -> int:
        """Requests that will be sent."""
        return self.n_requests - self.n_recorded - self.n_cached


def find_target(settings: Settings, name: str, *, is_outside: bool = False) -> Target:
    """Return what a name stands for.

    Args:
        settings: Their pool.
        name: ``provider:model``, an alias, ``auto`` or ``workload/NAME``.
        is_outside: Whether a gateway at an address will be asked, which may know models that the pool does not.

    Raises:
        UnknownModel: no such model is in the pool.
        ConfigurationError: its file cannot be read, or it answers no chat.
    """
    if is_routed(name):
        return Target(name=name)
    pool = pool_of(settings)
    card = pool.find(name) if is_outside else pool.get(name)
    if card is None:
        return Target(name=name)
    if "chat" not in card.capabilities:
        raise ConfigurationError(f"Model {card.name!r} answers no chat.", hint="`trimtab models list` shows abilities.")
    engine = next((each for each in settings.engines if each.name == card.provider), None)
    return Target(
        name=card.name,
        card=card,
        engine=engine,
        digest=None if engine is None else _weights(engine, card.model),
        n_concurrent=DEFAULT_CONCURRENCY if engine is None or engine.kind != "llama_cpp" else engine.slots,
    )


def _weights(engine: EngineConfig, model: str) -> str | None:
    """Return the sha256 of an engine's file; of file and adapter where the model is one."""
    if engine.path is None or not engine.path.is_file():
        return None
    adapter = next((each for each in engine.adapters if each.name == model), None)
    if adapter is None:
        return digest_of(engine.path)
    return hashlib.sha256(f"{digest_of(engine.path)}+{digest_of(adapter.path)}".encode()).hexdigest()


class Estimator:
    """Works out what runs will cost, before anything is asked or written.

    Args:
        settings: Pool and prices.
        store: Knows what is recorded and cached.
        suite: What will be asked.
        sampling: How.
    """

    def __init__(self, settings: Settings, store: EvaluationStore, suite: Suite, sampling: Sampling) -> None:
        self._pool: Pool = pool_of(settings)
        self._prices: PriceBook = price_book_of(settings, stored_probes(settings))
        self._hourly: Mapping[str, Decimal | None] = {
            model.name: None if model.price is None else model.price.usd_per_hour for model in settings.models
        }
        self._store, self._suite, self._sampling = store, suite, sampling

    def estimate(self, target: Target, plan: RunPlan, unfinished: StoredRun | None, *, has_cache: bool) -> RunEstimate:
        """Return what is left to ask of a model, and the most that it costs."""
        recorded = set() if unfinished is None else self._store.recorded(unfinished.run_id)
        positions = [
            (case, sample)
            for sample in range(plan.n_samples)
            for case in self._suite.cases
            if Position(case.case_id, sample) not in recorded
        ]
        digests = [plan.request_digest(case, sample) for case, sample in positions]
        cached = self._store.known(digests) if has_cache and not plan.is_routed else frozenset()
        left = [case for (case, _), digest in zip(positions, digests, strict=True) if digest not in cached]
        input_tokens = [len(chat_body("", case.messages, self._sampling)) // BYTES_PER_TOKEN for case in left]
        return RunEstimate(
            model=target.name,
            n_requests=len(self._suite.cases) * plan.n_samples,
            n_recorded=len(recorded),
            n_cached=len(positions) - len(left),
            input_tokens=sum(input_tokens),
            max_output_tokens=len(left) * self._sampling.max_tokens,
            cost_nano_usd=self._cost(target, input_tokens),
            is_own_machine=target.engine is not None,
            usd_per_hour=self._hourly.get(target.name),
        )

    def _cost(self, target: Target, input_tokens: Sequence[int]) -> int | None:
        """Price each request on its own: prices have cliffs. Where policy chooses, the dearest model counts."""
        if not input_tokens:
            return 0
        cards = [target.card] if target.card is not None else []
        if is_routed(target.name):
            cards = [card for card in self._pool if "chat" in card.capabilities]
        totals = [self._cost_on(card, input_tokens) for card in cards]
        known = [total for total in totals if total is not None]
        return max(known) if known and len(known) == len(totals) else None

    def _cost_on(self, card: ModelCard, input_tokens: Sequence[int]) -> int | None:
        now_us, total = SystemClock().now_us(), 0
        for n_tokens in input_tokens:
            cost = self._prices.estimate(card, n_tokens, self._sampling.max_tokens, now_us)
            if cost is None:
                return None
            total += cost
        return total
