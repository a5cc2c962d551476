"""The local engines of a running service: built, kept alive, shown to the workers, their ups and downs written down."""

import asyncio
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from trimtab.core import Clock, SystemClock
from trimtab.core.errors import ConfigurationError, TrimtabError
from trimtab.gateway import Provider
from trimtab.providers import BreakerSettings, ProviderConfig, build_provider
from trimtab.serving import EngineConfig, EngineState, Supervisor, build_engine
from trimtab.store import ArtifactStore, AuditLog, Database
from trimtab.wiring.engine_board import EngineBoard, EngineEntry
from trimtab.wiring.engine_provider import EngineProvider
from trimtab.wiring.keys import secrets_of
from trimtab.wiring.settings import Settings
from trimtab.wiring.variants import refused_engines

log = logging.getLogger("trimtab.wiring")

_BREAKER = BreakerSettings(consecutive_failures=50, failure_fraction=0.9, min_calls=100, open_s=1.0)
"""Whether an engine is well is known from watching it. Calls that waited too long say that it is busy, and a burst of
them must not keep it from working for ten seconds."""
_IDLE_S = 4.0
"""Unused connections to an engine are closed after it: llama.cpp and vLLM close theirs after five seconds."""


def board_of(settings: Settings) -> EngineBoard:
    """Return the board of the service that uses this data directory."""
    return EngineBoard(settings.data_dir / "run")


def engine_providers(settings: Settings, board: EngineBoard, clock: Clock) -> dict[str, Provider]:
    """Return a provider for every engine.

    Raises:
        ConfigurationError: an engine is not on the board, so nobody runs it.
    """
    board.refresh()
    return {engine.name: _provider(settings, engine.name, board, clock) for engine in settings.engines}


def _provider(settings: Settings, name: str, board: EngineBoard, clock: Clock) -> Provider:
    entry = board.entries.get(name)
    if entry is None:
        raise ConfigurationError(f"Engine {name!r} is not run by any service.", hint="`trimtab serve` runs it.")
    config = ProviderConfig(
        name=name,
        kind="openai",
        base_url=entry.base_url,
        api_key_env=entry.api_key_env,
        api_key_file=board.key_file(name) if entry.has_key else None,
        body_fields=entry.body_fields,
        idle_connection_s=_IDLE_S,
        breaker=_BREAKER,
        max_connections=max(1, entry.max_connections // settings.workers),
        max_concurrency_per_model=None if entry.slots is None else _share(entry.slots, settings.workers),
    )
    return EngineProvider(build_provider(config, clock=clock), board)


def _share(slots: int, n_workers: int) -> int:
    """Return how many calls a worker has under way: its part of the slots, and one that waits for the next free one."""
    return math.ceil(slots / n_workers) + 1


@asynccontextmanager
async def running_engines(
    settings: Settings, database: Database, clock: Clock | None = None, *, folder: Path | None = None
) -> AsyncIterator[None]:
    """Run the configured engines beside the block; calls go elsewhere until each is ready.

    Args:
        settings: Which engines.
        database: Keeps their ups and downs.
        clock: Dates these.
        folder: For a board and logs of its own, beside those of a service that may be running.

    Raises:
        ConfigurationError: an engine cannot be built as configured.
    """
    if not settings.engines:
        yield
        return
    room = _EngineRoom(settings, database, clock or SystemClock(), folder)
    room.show()
    starting = asyncio.create_task(room.start())
    try:
        yield
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await room.supervisor.stop()
        room.hide()


class EngineRow(msgspec.Struct, frozen=True, kw_only=True):
    """A configured engine, and how the running service sees it."""

    engine: str
    kind: str
    state: str
    """``ready``, ``starting``, ``down``, ``stopped``, or ``not running`` where no service runs it."""
    models: tuple[str, ...]
    n_restarts: int = 0
    base_url: str | None = None
    reason: str | None = None
    """Why it is down."""


def engine_rows(settings: Settings) -> list[EngineRow]:
    """Return the configured engines as the service that uses this data directory sees them."""
    board = board_of(settings)
    board.refresh()
    return [_row(config, board.entries.get(config.name)) for config in settings.engines]


def _row(config: EngineConfig, entry: EngineEntry | None) -> EngineRow:
    row = EngineRow(engine=config.name, kind=config.kind, state="not running", models=config.model_names)
    if entry is None:
        return row
    return msgspec.structs.replace(
        row,
        state=entry.phase,
        n_restarts=entry.n_restarts,
        base_url=entry.base_url,
        reason=entry.reason or None,
    )


class _EngineRoom:
    def __init__(self, settings: Settings, database: Database, clock: Clock, folder: Path | None) -> None:
        self._settings = settings
        self._board = board_of(settings) if folder is None else EngineBoard(folder)
        self._database = database
        self._audit = AuditLog(database, secrets_of(settings).audit_key, clock)
        self._artifacts = ArtifactStore(database, self._audit, clock)
        logs = settings.data_dir / "logs" if folder is None else folder
        # llama.cpp works on to the end for a caller who left before the first byte, so nobody waits inside it.
        self._slots = {each.name: each.slots for each in settings.engines if each.kind == "llama_cpp"}
        self._key_envs = {each.name: each.api_key_env for each in settings.engines if each.api_key_env is not None}
        self.engines = {config.name: build_engine(config, logs=logs) for config in settings.engines}
        self.supervisor = Supervisor(
            list(self.engines.values()),
            self._changed,
            ready_timeout_s={config.name: config.ready_timeout_s for config in settings.engines},
        )
        self._writing: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Start every engine but those whose files must not serve."""
        self.supervisor.start(await asyncio.to_thread(refused_engines, self._settings, self._artifacts))

    def show(self) -> None:
        """Write board and keys."""
        for name, engine in self.engines.items():
            if engine.endpoint.api_key is not None and name not in self._key_envs:
                self._board.write_key(name, engine.endpoint.api_key)
        self._board.write({name: self._entry(name, state) for name, state in self.supervisor.states.items()})

    def hide(self) -> None:
        """Remove the board and the keys: nobody runs these engines any more."""
        self._board.remove()

    def _changed(self, name: str, state: EngineState) -> None:
        before = self._board.entries[name]
        self._board.write({**self._board.entries, name: self._entry(name, state)})
        if before.phase == "ready" and state.phase == "down":
            self._write_down("engine.down", name, {"reason": state.reason})
        elif state.phase == "ready":
            self._write_down("engine.ready", name, {"n_restarts": state.n_restarts})

    def _entry(self, name: str, state: EngineState) -> EngineEntry:
        engine, key_env = self.engines[name], self._key_envs.get(name)
        return EngineEntry(
            base_url=engine.endpoint.base_url,
            has_key=engine.endpoint.api_key is not None and key_env is None,
            api_key_env=key_env,
            max_connections=engine.endpoint.max_connections,
            slots=self._slots.get(name),
            body_fields={model: dict(engine.body_fields(model)) for model in engine.models},
            phase=state.phase,
            reason=state.reason,
            n_restarts=state.n_restarts,
        )

    def _write_down(self, action: str, name: str, detail: dict[str, object]) -> None:
        """Record an event beside the loop; a start that keeps failing is in the log alone, not in the chain."""
        task = asyncio.create_task(asyncio.to_thread(self._append, action, name, detail))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def _append(self, action: str, name: str, detail: dict[str, object]) -> None:
        try:
            with self._database.writing() as connection:
                self._audit.append(connection, actor="supervisor", action=action, subject=name, detail=detail)
        except TrimtabError as exc:
            log.warning("the event %s of engine %s is in the log alone: %s", action, name, exc.message)
