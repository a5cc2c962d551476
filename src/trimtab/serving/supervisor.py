"""Keeps engines alive: starts them, watches their health, starts those that ended again, tells what happened."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from trimtab.core.errors import TrimtabError
from trimtab.serving.engine import Engine, EngineFacts

log = logging.getLogger("trimtab.serving")

RESTART_BACKOFF_S = (0.1, 0.5, 2.0, 10.0, 30.0)
"""Wait before an engine that keeps ending is started again; the last one repeats."""
STABLE_S = 60.0
"""An engine that was ready this long counts as healthy, and the back-off starts over."""
HEALTH_S = 5.0
"""How often a ready engine is asked whether it still answers."""
MAX_SILENCES = 3
"""Health checks in a row without an answer after which it is started again."""

Phase = Literal["starting", "ready", "down", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineState:
    """Where an engine stands."""

    phase: Phase
    reason: str = ""
    """Why it is down, for people."""
    n_restarts: int = 0
    facts: EngineFacts | None = None
    """What it said of itself when it was last ready."""


class _Life(NamedTuple):
    reason: str
    """Why it ended, for people."""
    ready_s: float
    """How long it was ready; loading does not count, since a load may last minutes and fail each time."""


OnChange = Callable[[str, EngineState], None]
"""Told the engine's name and its new state, in the event loop, once per change."""


class Supervisor:
    """Runs engines until told to stop. One that fails does not disturb the others.

    Args:
        engines: Not yet started.
        on_change: Told of every change of state.
        ready_timeout_s: By engine name; ``default_timeout_s`` for the rest.
        default_timeout_s: From an engine's start until it must answer.
    """

    def __init__(
        self,
        engines: Sequence[Engine],
        on_change: OnChange,
        *,
        ready_timeout_s: Mapping[str, float] | None = None,
        default_timeout_s: float = 120.0,
    ) -> None:
        self.engines = {engine.name: engine for engine in engines}
        self.states = {name: EngineState(phase="starting") for name in self.engines}
        self._on_change = on_change
        self._timeouts_s = dict(ready_timeout_s or {})
        self._default_timeout_s = default_timeout_s
        self._keepers: list[asyncio.Task[None]] = []

    def start(self, refused: Mapping[str, str] | None = None) -> None:
        """Begin to keep every engine alive; returns at once.

        Args:
            refused: Engines that must not start, by name, and why; they stay down.
        """
        reasons = refused or {}
        for name, reason in reasons.items():
            log.error("engine %s is not started: %s", name, reason)
            self._set(self.engines[name], phase="down", reason=reason)
        allowed = [engine for name, engine in self.engines.items() if name not in reasons]
        self._keepers = [asyncio.create_task(self._keep(engine)) for engine in allowed]

    async def stop(self, *, drain_s: float = 5.0) -> None:
        """Let calls under way end, then end every engine."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers = []
        await asyncio.gather(*(self._end(engine, drain_s) for engine in self.engines.values()), return_exceptions=True)

    async def _end(self, engine: Engine, drain_s: float) -> None:
        if self.states[engine.name].phase == "ready":
            await engine.drain(drain_s)
        await self._halt(engine)
        self._set(engine, phase="stopped")

    async def _keep(self, engine: Engine) -> None:
        """Start ``engine``, and again whenever it ends."""
        failures = 0
        while True:
            reason, ready_s = await self._live(engine)
            failures = 1 if ready_s > STABLE_S else failures + 1
            wait_s = RESTART_BACKOFF_S[min(failures, len(RESTART_BACKOFF_S)) - 1]
            log.error("engine %s is down: %s It starts again in %.1f s.", engine.name, reason, wait_s)
            self._set(engine, phase="down", reason=reason)
            await self._halt(engine)
            await asyncio.sleep(wait_s)
            self._set(engine, phase="starting", reason=reason, n_restarts=self.states[engine.name].n_restarts + 1)

    async def _live(self, engine: Engine) -> _Life:
        """Start it; return why it is not alive any more."""
        ready_at_s: float | None = None
        try:
            await engine.start()
            facts = await engine.wait_ready(self._timeouts_s.get(engine.name, self._default_timeout_s))
            ready_at_s = time.monotonic()
            log.info("engine %s is ready at %s", engine.name, engine.endpoint.base_url)
            self._set(engine, phase="ready", facts=facts)
            reason = await self._ended(engine)
        except TrimtabError as exc:
            reason = exc.message if exc.hint is None else f"{exc.message} {exc.hint}"
        except Exception as exc:  # the engine's boundary: a bug in one adapter must not take the others down
            log.exception("engine %s failed in a way that its adapter did not expect", engine.name)
            reason = f"{type(exc).__name__}, which its adapter did not expect."
        return _Life(reason, 0.0 if ready_at_s is None else time.monotonic() - ready_at_s)

    async def _ended(self, engine: Engine) -> str:
        """Wait until it ends by itself or falls silent; return which."""
        ended = asyncio.ensure_future(engine.wait_ended())
        silent = asyncio.ensure_future(_fallen_silent(engine))
        try:
            done, _ = await asyncio.wait((ended, silent), return_when=asyncio.FIRST_COMPLETED)
            return f"it {ended.result()}." if ended in done else silent.result()
        finally:
            for task in (ended, silent):
                task.cancel()
            await asyncio.gather(ended, silent, return_exceptions=True)

    async def _halt(self, engine: Engine) -> None:
        try:
            await engine.stop()
        except Exception:  # the engine's boundary, as above
            log.exception("engine %s could not be stopped", engine.name)

    def _set(self, engine: Engine, **changes: object) -> None:
        before = self.states[engine.name]
        state = replace(before, **{"reason": "", **changes})  # type: ignore[arg-type]  # fields of EngineState, all
        if state != before:
            self.states[engine.name] = state
            try:
                self._on_change(engine.name, state)
            except Exception:  # whoever is told must not end who watches
                log.exception("the new state of engine %s, %s, was not taken note of", engine.name, state.phase)


async def _fallen_silent(engine: Engine) -> str:
    n_silences = 0
    while n_silences < MAX_SILENCES:
        await asyncio.sleep(HEALTH_S)
        n_silences = 0 if await engine.is_healthy() else n_silences + 1
    return f"it did not answer {MAX_SILENCES} health checks in a row."
