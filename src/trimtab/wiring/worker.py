"""The object graph of one worker: everything that serves calls in one process."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from trimtab.catalog import ProbeResult
from trimtab.control import latest_probes, policy_in_force
from trimtab.core import Clock, SystemClock
from trimtab.core.errors import TrimtabError
from trimtab.gateway import (
    BudgetKeeper,
    Caller,
    Chooser,
    Gateway,
    GatewaySettings,
    KeyRing,
    Measurements,
    Metrics,
    RateLimiter,
    Rulebook,
)
from trimtab.policy import Policy
from trimtab.store import (
    BudgetStore,
    CallReader,
    Database,
    FeedbackStore,
    KeyStore,
    PolicyStore,
    ProbeStore,
    StateWatcher,
    open_database,
)
from trimtab.wiring.engine_board import EngineBoard
from trimtab.wiring.engines import board_of
from trimtab.wiring.evidence import JournalEvidence, load_evidence, load_speeds
from trimtab.wiring.keys import callers_of, key_store
from trimtab.wiring.pool import build_providers, pool_of, price_book_of
from trimtab.wiring.recording import Recording, build_recording
from trimtab.wiring.settings import Settings
from trimtab.workloads import Classifier

log = logging.getLogger("trimtab.wiring")
T = TypeVar("T")

POLL_S = 0.25
"""How often a worker looks whether policy or keys changed: well inside the promised second."""
RECOVER_S = 10.0
"""How often a worker looks for what killed ones left behind."""
EVIDENCE_S = 5.0
"""How often measured quality and latency reach the router."""


@dataclass(slots=True)
class WorkerHealth:
    """What ``/readyz`` says of this worker."""

    journal: Recording
    has_policy: Callable[[], bool]
    problem: str | None = None
    """Why knowledge could not be refreshed; the last known state goes on serving."""
    is_stopping: bool = False

    def degraded_reason(self) -> str | None:
        """Return why the worker is degraded, or ``None``."""
        if not self.has_policy():
            return "no policy is in force: every call is refused"
        return self.journal.degraded_reason() or self.problem

    def is_ready(self) -> bool:
        """Return whether new calls are welcome; a stopping worker only finishes those it has."""
        return not self.is_stopping


@dataclass(frozen=True, slots=True)
class _State:
    """What changes while a worker runs, read from the database at one version."""

    version: int
    policy: Policy | None
    callers: Mapping[str, Caller]


@dataclass(slots=True)
class Worker:
    """One worker's parts. ``start`` begins its background work, ``stop`` ends it, ``close`` flushes the journal."""

    settings: Settings
    name: str
    database: Database
    gateway: Gateway
    journal: Recording
    feedback: FeedbackStore
    health: WorkerHealth
    clock: Clock
    budgets: BudgetKeeper
    leases: BudgetStore
    reader: CallReader
    probes: ProbeStore
    measurements: Measurements
    policies: PolicyStore
    keys: KeyStore
    state: StateWatcher
    engines: EngineBoard
    _tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    _seen_version: int = -1

    def start(self) -> None:
        """Begin to watch for changed policies, keys and measurements, and book what dead workers left."""
        loops = (self._follow_state, self._follow_evidence, self._follow_the_dead, self.budgets.renew_forever)
        self._tasks = [asyncio.create_task(_kept_up(run)) for run in loops]

    async def stop(self) -> None:
        """End the background work and close idle connections to the providers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for provider in self.gateway.chooser.rulebook.providers.values():
            await provider.aclose()

    def close(self) -> None:
        """Write down what is still queued, give the leases back and let go of the database.

        Leases stay while spent money waits in the spool: what is not booked yet must not look unspent.
        """
        if self.journal.close():
            try:
                self.leases.release(self.name)
            except TrimtabError as exc:
                log.warning("leases stay until they expire: %s", exc.message)
        self.database.close()

    def show_state(self) -> None:
        """Bring the gauges up to date."""
        is_degraded = self.health.degraded_reason() is not None
        self.gateway.metrics.show_state(n_in_flight=self.gateway.n_in_flight, is_degraded=is_degraded)

    async def _follow_the_dead(self) -> None:
        """Book what killed workers leave behind, also where nothing starts in their place."""
        while True:
            try:
                await asyncio.to_thread(self.journal.recover)
            except TrimtabError as exc:
                log.warning("what dead workers left stays in their spools for now: %s", exc.message)
            await asyncio.sleep(RECOVER_S)

    def _read_state(self) -> _State | None:
        """Return what is stored now, ``None`` when nothing changed since the last look."""
        version = self.state.version()
        if version == self._seen_version:
            return None
        return _State(version, policy_in_force(self.policies), callers_of(self.keys))

    def _apply(self, state: _State) -> None:
        """Put it in force for the calls that start from now on. Runs in the loop, so no call sees a half of it."""
        chooser = self.gateway.chooser
        in_force, policy = chooser.rulebook.policy, state.policy
        if (policy and policy.version) != (in_force and in_force.version):
            chooser.replace(replace(chooser.rulebook, policy=policy))
            log.info("policy in force: %s", "none" if policy is None else f"{policy.name} {policy.version[:12]}")
        self.gateway.keys.callers = state.callers
        self._seen_version = state.version

    async def _follow_state(self) -> None:
        while True:
            state = await self._tried(self._read_state)
            if state is not None:
                self._apply(state)
            self._follow_engines()
            self.show_state()
            await asyncio.sleep(POLL_S)

    def _follow_engines(self) -> None:
        """See which engines are ready: their providers ask the board at every call."""
        if self.engines.refresh():
            self.gateway.metrics.show_engines(
                {name: (entry.is_ready, entry.n_restarts) for name, entry in self.engines.entries.items()}
            )

    async def _follow_evidence(self) -> None:
        chooser = self.gateway.chooser
        while True:
            await asyncio.sleep(EVIDENCE_S)
            found = await self._tried(lambda: (load_evidence(self.reader), latest_probes(self.probes)))
            if found is not None:
                evidence, probes = found
                self.measurements.take_probes(probes)
                book = chooser.rulebook
                chooser.replace(replace(book, evidence=evidence, prices=book.prices.with_probes(probes)))
            else:
                chooser.forget()

    async def _tried(self, read: Callable[[], T]) -> T | None:
        """Read in a thread beside the calls; when it fails, serving goes on with what was known."""
        try:
            found = await asyncio.to_thread(read)
        except TrimtabError as exc:
            if self.health.problem is None:
                log.warning("cannot refresh: %s", exc.message)
            self.health.problem = exc.message
            return None
        self.health.problem = None
        return found


async def _kept_up(run: Callable[[], Awaitable[None]]) -> None:
    """Run a background loop; when a bug ends it, log that and begin again."""
    while True:
        try:
            await run()
        except Exception:  # a background boundary: the loop must outlive one bad round
            log.exception("background work failed; it starts again")
            await asyncio.sleep(1.0)


def build_worker(
    settings: Settings, *, name: str, clock: Clock | None = None, board: EngineBoard | None = None
) -> Worker:
    """Build one worker on the settings' database, which must have been prepared.

    Args:
        settings: What serves.
        name: Of the worker, unique among those that run.
        clock: Time.
        board: Where the engines are; the service's own when left out.

    Raises:
        ConfigurationError: a provider or model cannot be used.
        StoreError: the database cannot be opened.
    """
    clock = clock or SystemClock()
    database = open_database(settings.database_url, durability=settings.journal.durability)
    leases, reader = BudgetStore(database), CallReader(database)
    policies, keys = PolicyStore(database, clock), key_store(settings, database, clock)
    journal = build_recording(settings, database, worker=name, clock=clock)
    probe_store = ProbeStore(database)
    probes = latest_probes(probe_store)
    budgets, measurements = BudgetKeeper(leases, name, clock), Measurements(load_speeds(reader), probes)
    board = board or board_of(settings)
    rulebook = _rulebook(settings, policies, load_evidence(reader), probes, board, clock)
    chooser = Chooser(rulebook, measurements, budgets)
    gateway = Gateway(
        settings=_gateway_settings(settings),
        chooser=chooser,
        keys=KeyRing(keys.pepper, callers_of(keys)),
        limiter=RateLimiter(clock, n_workers=settings.workers),
        budgets=budgets,
        recorder=journal,
        measurements=measurements,
        metrics=Metrics(),
        clock=clock,
    )
    return Worker(
        settings=settings,
        name=name,
        database=database,
        gateway=gateway,
        journal=journal,
        feedback=FeedbackStore(database),
        health=WorkerHealth(journal, lambda: chooser.rulebook.policy is not None),
        clock=clock,
        budgets=budgets,
        leases=leases,
        reader=reader,
        probes=probe_store,
        measurements=measurements,
        policies=policies,
        keys=keys,
        state=StateWatcher(database),
        engines=board,
    )


def _rulebook(
    settings: Settings,
    policies: PolicyStore,
    evidence: JournalEvidence,
    probes: Mapping[str, ProbeResult],
    board: EngineBoard,
    clock: Clock,
) -> Rulebook:
    return Rulebook(
        policy=policy_in_force(policies),
        pool=pool_of(settings),
        prices=price_book_of(settings, probes),
        providers=build_providers(settings, board, clock),
        classifier=Classifier(settings.workloads),
        evidence=evidence,
    )


def _gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        call_timeout_s=settings.limits.call_timeout_s,
        max_attempts=settings.limits.max_attempts,
        max_recorded_body_bytes=settings.journal.max_recorded_body_bytes,
        max_response_bytes=settings.limits.max_response_bytes,
        is_authenticated=settings.auth == "keys",
    )
